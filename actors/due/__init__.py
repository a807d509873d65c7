"""Work that is due at its time, and what becomes of it when it fails."""
