"""Who is enrolled and what was decided: the SQL truth."""
