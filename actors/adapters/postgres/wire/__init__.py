"""What every noun of the store stands on: connections, rows, locks, migrations."""
