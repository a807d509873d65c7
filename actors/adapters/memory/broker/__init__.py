"""The twin of NATS and Mosquitto."""
