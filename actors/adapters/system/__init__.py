"""Clock, ids and hasher of the machine."""
