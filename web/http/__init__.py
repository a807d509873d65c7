"""What stands between a socket and a handler: who may stay, and what a request costs."""
