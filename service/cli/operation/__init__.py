"""Commands that keep an installation running for years."""
