"""Shapes that only REST knows."""
