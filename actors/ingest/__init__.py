"""From the broker to the store: what judges whether that way is open."""
