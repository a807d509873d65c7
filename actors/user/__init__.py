"""The user actor, its dashboards, and what is published again for MQTT listeners."""
