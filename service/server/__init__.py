"""The server's processes, and what stands between a connection and the application."""
