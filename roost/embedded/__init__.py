"""PostgreSQL and the MQTT broker as children of ours, on a data directory of ours."""
