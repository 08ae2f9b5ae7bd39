"""One chain of hashes over everything that matters, without personal data in it."""
