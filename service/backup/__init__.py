"""Backups of the registry of the settings: made, brought back, and made before an upgrade."""
