"""How often the service shows that it is alive, and checks what is not reported to it."""

import msgspec

from actors.ingest import canaries, retained_copies
from actors.leadership import BEAT_S


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """In seconds: between beats of the leader, canaries, and looks at retained messages.

    `is_alone`: no other process can exist.
    """

    beat_s: float = BEAT_S
    canary_s: float = canaries.EVERY_S
    retained_s: float = retained_copies.EVERY_S
    is_alone: bool = False
