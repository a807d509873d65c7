"""A virtual fleet: devices that behave as real ones do, over real MQTT."""
