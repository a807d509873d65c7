"""The media library: rows and files together, what a file is, links that open without a login."""
