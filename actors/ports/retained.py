"""What devices have retained at the broker: where it tells of it, and where it is cleared."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Held(msgspec.Struct, frozen=True, gc=False):
    """A retained message of a device.

    Attributes:
        topic: on which the broker brings it (`part/K/users/…` where it maps).
        size: bytes of its payload.
        qos: with which it was published.
        no: tells it from a newer one of its topic; 0 where nothing does.
        place: the broker's own name for the topic.
    """

    topic: str
    size: int
    qos: int
    no: int = 0
    place: str = ""


class RetainedMessages(Protocol):
    """All calls raise `Unavailable` when the broker does not answer.

    Attributes:
        tells: whether the broker tells of everything that is retained (NATS). Others have no limit
            of ours, and are asked for one device only: the answer is all that it has retained.
    """

    @property
    def tells(self) -> bool: ...

    async def limit(self) -> int:
        """Have the broker refuse what is above all bounds; answers how many bytes it holds."""
        ...

    async def held(self, after: int, *, states: bool) -> list[Held]:
        """Up to some thousands with numbers above `after`, in that order; nothing: there are none.

        Args:
            states: statuses, too.
        """
        ...

    async def of_device(self, user_id: str, code: str) -> list[Held]:
        """All that is retained below the topics of one device."""
        ...

    async def clear(self, held: Sequence[Held]) -> bool:
        """Clear each of them, unless there is a newer one by its number. False: not all of it can
        be known to be done; to be tried again."""
        ...
