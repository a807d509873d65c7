"""A device's message, as the broker's twin stores it."""

import msgspec


class Published(msgspec.Struct, kw_only=True, eq=False):
    """A message that the broker took from a device, and what became of it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    at_s: float
    deliveries: int = 0
    acknowledged: bool = False
    forgotten_acks: int = 0  # how often the broker forgot that it was acknowledged
    copies: int = 0  # of a retained message: how often the broker's own copy was delivered
    lost: bool = False  # the broker lost it: its session was deleted, or never existed
    no: int = 0  # of a retained message: grows with each that the broker stores
