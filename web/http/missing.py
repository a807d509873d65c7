"""The 404 of an object that a path or a body names: one text for each kind of object."""

from protocol.errors import NotFound

# Each id in a path, and what people call its object.
NAMES = {
    "alarm_id": "Alarm",
    "command_id": "Command",
    "delivery_id": "Delivery",
    "device_id": "Device",
    "feed_id": "Feed",
    "key_id": "API key",
    "media_id": "Media",
    "order_id": "Order",
    "product_id": "Product",
    "rejection_id": "Rejected message",
    "schedule_id": "Schedule",
    "session_id": "Session",
    "webhook_id": "Webhook",
}


def missing(parameter: str) -> NotFound:
    """The error for an object that does not exist or is another user's, and for a malformed id."""
    return NotFound(f"{NAMES[parameter]} not found")
