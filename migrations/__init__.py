"""The schema's history, one step a file; `index.migrate` runs it."""
