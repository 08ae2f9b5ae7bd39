"""HTTP for who may do what: the check of every request, keys, signing in, limits."""
