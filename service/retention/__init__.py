"""What is kept for how long, and deleted after."""
