"""Memory twins of the ports, for tests and the simulation."""
