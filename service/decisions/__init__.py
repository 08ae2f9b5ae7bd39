"""The questions asked about a query signature."""
