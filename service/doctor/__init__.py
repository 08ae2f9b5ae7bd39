"""Looks an installation over: a small function for each line that `countersign doctor` says."""
