"""Devices' retained messages at the broker: listing and clearing them."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Held(msgspec.Struct, frozen=True, gc=False):
    """A retained message of a device.

    Attributes:
        topic: on which the broker delivers it (`part/K/users/…` if it maps).
        size: bytes of its payload.
        qos: of its publication.
        no: distinguishes it from a newer one on its topic; 0 if nothing does.
        place: the broker's own name for the topic.
    """

    topic: str
    size: int
    qos: int
    no: int = 0
    place: str = ""


class RetainedMessages(Protocol):
    """All calls raise `Unavailable` if the broker does not answer.

    Attributes:
        tells: whether the broker can list all retained messages (NATS). Others have no limit from
        Roost, and are asked about one device only: the answer is all that it has retained.
    """

    @property
    def tells(self) -> bool: ...

    async def limit(self) -> int:
        """Make the broker refuse what exceeds all bounds; return how many bytes it holds."""
        ...

    async def held(self, after: int, *, states: bool) -> list[Held]:
        """Up to some thousands with numbers above `after`, in that order; empty if there are none.

        Args:
            states: include statuses.
        """
        ...

    async def of_device(self, user_id: str, code: str) -> list[Held]:
        """All messages that are retained below the topics of one device."""
        ...

    async def clear(self, held: Sequence[Held]) -> bool:
        """Clear each of them, unless its number shows that there is a newer one. False: some may
        not be cleared; try again."""
        ...
