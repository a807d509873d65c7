"""Logins and sessions, and removing what those that ended leave behind."""
