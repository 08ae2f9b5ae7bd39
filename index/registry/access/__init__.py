"""Who may do what, kept: keys, users, sessions, failed tries, counts of limits, kept answers."""
