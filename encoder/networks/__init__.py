"""The Keras definitions of the networks, and nothing else."""
