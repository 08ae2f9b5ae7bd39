"""Commands that ask: verify, identify, compare."""
