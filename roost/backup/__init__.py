"""Backups: one file that brings a service back, and a data directory of another PostgreSQL."""
