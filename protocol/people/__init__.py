"""Users: their sessions, audit log and API keys."""
