"""REST, WebSocket and the dashboard, on Quart-Trio."""
