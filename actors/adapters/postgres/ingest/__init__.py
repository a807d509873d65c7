"""The way of readings into PostgreSQL, and back to actors that start."""
