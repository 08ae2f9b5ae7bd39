"""Copies the whole registry into one file and back, and repeats erasures on what came back."""
