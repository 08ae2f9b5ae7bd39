"""Countersign turns signature images into embeddings: cleaning, networks, training, decisions."""
