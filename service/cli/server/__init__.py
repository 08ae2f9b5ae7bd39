"""Commands that run the server and its database."""
