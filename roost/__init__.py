"""How it starts: settings, command line, embedded servers, the composition root."""
