"""Commands for the gallery and its vector index."""
