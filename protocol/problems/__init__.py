"""What people are told when a request is refused: every text has a stable code."""
