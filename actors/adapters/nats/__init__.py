"""The embedded broker beyond MQTT: logins, JetStream, limits."""
