"""How many candidates an identification shows; light enough for a command's help to load."""

DEFAULT_CANDIDATES = 5
MOST_CANDIDATES = 100
