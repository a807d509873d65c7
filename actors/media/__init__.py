"""The media library: rows and files together, types of files, links that need no login."""
