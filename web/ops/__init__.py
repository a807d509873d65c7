"""For operators: whether the service serves."""
