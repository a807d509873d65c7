"""MQTT 3.1.1 and 5 by gmqtt, the only place with it."""
