"""PostgreSQL and the MQTT broker as child processes, on a data directory."""
