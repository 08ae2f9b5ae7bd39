"""Approximate search among many unit vectors, in FAISS's inverted lists."""
