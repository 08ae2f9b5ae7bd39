"""Who is enrolled, by which references."""
