"""The HTTP API: one file per noun parses requests, calls a use case, and returns its answer."""
