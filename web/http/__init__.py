"""Everything between a socket and a handler: who may connect, and what a request costs."""
