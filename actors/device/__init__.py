"""The device actor, its place, and what it judges by."""
