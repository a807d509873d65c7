"""Who may come in, and what is left of those who may not any more."""
