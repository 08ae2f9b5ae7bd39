"""Error rates as pure numbers: scores in, rates and intervals out."""
