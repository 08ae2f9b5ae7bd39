"""What completes /openapi.json: names and scopes of operations, required fields, examples."""
