"""A model folder, read and run."""
