"""`roost up --demo`: a small business to look at, in a data directory of its own."""
