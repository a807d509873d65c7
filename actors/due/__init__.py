"""Work that is due at a time, and what happens when it fails."""
