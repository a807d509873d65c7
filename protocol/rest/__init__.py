"""Shapes that only the REST API uses."""
