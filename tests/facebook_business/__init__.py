"""The shim with the names of Meta's SDK, against the SDK itself."""
