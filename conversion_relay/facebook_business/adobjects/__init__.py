"""The SDK's folder of that name; only `serverside` is here."""
