"""The schema's history, one step a file; `index.registry.schema_version` runs it."""
