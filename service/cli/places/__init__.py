"""Where a command is carried out: on the registry itself, or by a server."""
