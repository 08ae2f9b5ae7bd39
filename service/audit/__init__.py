"""What was decided and why: replayed, proved, anchored, exported, and forgotten in time."""
