"""Other servers, called over HTTP."""
