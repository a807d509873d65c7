"""Starting Roost: settings, command line, embedded servers, the composition root."""
