"""Measurements of the whole product: accuracy over HTTP, and what a request costs."""
