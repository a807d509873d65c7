"""Certificates: read and checked, used for HTTP and MQTT, read again when they change, and made."""
