"""One training run, from data sets to an exported model."""
