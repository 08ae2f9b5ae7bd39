"""HTTP for what was decided: decisions read back, replayed, proved, held and reviewed."""
