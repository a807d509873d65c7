"""Servers of others, asked over HTTP."""
