"""Files of media on a disk."""
