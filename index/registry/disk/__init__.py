"""What the disk has of the registry: its file, room to write, and traces of what was erased."""
