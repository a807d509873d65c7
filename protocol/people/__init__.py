"""People, their sign-ins and API keys."""
