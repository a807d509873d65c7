"""The embedded broker beyond MQTT: what its JetStream says."""
