"""Exact search among unit vectors."""
