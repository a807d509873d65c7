"""The REST API, one file for each noun."""
