"""Countersign's outside: use cases, HTTP API, web page and command line."""
