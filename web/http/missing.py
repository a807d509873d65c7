"""The 404 of an object that a path or a body names: one text for each kind of object."""

from protocol.errors import NotFound
from protocol.problems.detail import Detail

# Each id in a path or a body, and the code of its error.
CODES = {
    "alarm_id": "alarm_not_found",
    "command_id": "command_not_found",
    "delivery_id": "delivery_not_found",
    "device_id": "device_not_found",
    "feed_id": "feed_not_found",
    "key_id": "api_key_not_found",
    "media_id": "media_not_found",
    "order_id": "order_not_found",
    "product_id": "product_not_found",
    "rejection_id": "rejected_message_not_found",
    "schedule_id": "schedule_not_found",
    "session_id": "session_not_found",
    "webhook_id": "webhook_not_found",
}


def missing(parameter: str) -> NotFound:
    """The error for an object that does not exist or is another user's, and for a malformed id."""
    return NotFound(Detail(CODES[parameter]))
