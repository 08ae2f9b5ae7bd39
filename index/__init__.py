"""Countersign's gallery: who is enrolled (SQL, the truth) and what is near (vectors, derived)."""
