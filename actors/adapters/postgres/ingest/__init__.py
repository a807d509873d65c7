"""How readings get into PostgreSQL, and what starting actors load from it."""
