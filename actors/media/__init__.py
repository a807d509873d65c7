"""The media library: rows and files together, and links that open without a login."""
