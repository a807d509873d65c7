"""MQTT 3.1.1 and 5 with gmqtt; only this package uses it."""
