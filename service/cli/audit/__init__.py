"""Commands about what was decided, by whom it was reviewed, and the proof of it."""
