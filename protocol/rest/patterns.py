"""Patterns of texts in bodies, each with the code of what it means to people."""

from protocol.device.topics import DEVICE_CODE, FEED_KEY

# Control characters could change the terminal of whoever reads a name; PostgreSQL cannot hold
# U+0000.
LINE = r"^[^\x00-\x1f\x7f-\x9f]*\Z"
LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*\Z"
# Only a mail shows whether an address works, so its grammar is lax; but a domain has a dot.
_PART = r"[^@\s\x00-\x1f\x7f-\x9f]"
_LABEL = r"[^@.\s\x00-\x1f\x7f-\x9f]+"
EMAIL = rf"^{_PART}+@{_LABEL}(\.{_LABEL})+\Z"
PRICE = r"^[0-9]{1,9}(\.[0-9]{1,4})?\Z"
COMMAND_TYPE = r"^[A-Za-z0-9_.:-]+\Z"
WHOLE_CODE = rf"^{DEVICE_CODE}\Z"
WHOLE_KEY = rf"^{FEED_KEY}\Z"

CODES = {
    LINE: "control_characters",
    LINES: "control_characters",
    EMAIL: "not_email",
    PRICE: "not_price",
    COMMAND_TYPE: "command_characters",
    WHOLE_CODE: "device_characters",
    WHOLE_KEY: "key_characters",
}
