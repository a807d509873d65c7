"""The twin of PostgreSQL, one file for each noun."""
