"""Which signatures there are, and which split each writer is in."""
