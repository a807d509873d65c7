"""Signing in and up, sessions, API keys and listeners."""
