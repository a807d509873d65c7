"""What all nouns use: connections, rows, locks, migrations."""
