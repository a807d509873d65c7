"""Readings summed up for charts."""
