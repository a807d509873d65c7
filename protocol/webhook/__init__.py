"""Webhooks: deliveries, signatures, and addresses that they may reach."""
