"""Failures that stay with the one thing that failed, where that takes a store or a broker."""
