"""What goes out: the schema of every answer, and beside it the function that fills it.

The schemas draw /openapi.json and the functions fill every field by its name; a test holds the two
together. Filling them through the schemas takes a tenth of a request's time in the application.
"""
