"""Schedules in civil time."""
