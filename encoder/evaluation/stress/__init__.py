"""What breaks a model, and what it may be cheating with."""
