"""Commands that make, measure and change models."""
