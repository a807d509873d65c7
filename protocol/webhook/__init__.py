"""Webhooks: deliveries, signatures, and which addresses they may be sent to."""
