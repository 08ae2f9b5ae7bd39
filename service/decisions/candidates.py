"""How many candidates an identification shows; light enough for a command's help to load."""

DEFAULT_CANDIDATES = 10
MOST_CANDIDATES = 100
