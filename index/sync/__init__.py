"""An index that follows the registry."""
