"""A message of a device, as the broker's twin has it."""

import msgspec


class Published(msgspec.Struct, kw_only=True, eq=False):
    """A message that the broker took from a device, and what it knows became of it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    at_s: float
    deliveries: int = 0
    acknowledged: bool = False
    forgotten_acks: int = 0  # how often the broker forgot that it was acknowledged
    copies: int = 0  # of a retained message: how often the broker's own copy was delivered
    lost: bool = False  # the broker lost it: its session was gone, or never there
    no: int = 0  # of a retained message: grows with each that the broker keeps
