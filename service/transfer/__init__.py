"""Signatures in and out in bulk."""
