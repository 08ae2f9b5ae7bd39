"""The HTTP API: one file per noun parses requests, calls a story, and shapes its answer."""
