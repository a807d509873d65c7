"""Contains failures within the one item that failed, with the help of a store or a broker."""
