"""The SDK's paths, one module each, so that a search for `facebook_business` in the imports is the whole switch."""
