"""What the broker holds for us, if it reports that."""

from typing import Protocol


class BrokerBacklog(Protocol):
    async def waiting(self) -> dict[str, int]:
        """By session, messages that are not delivered or not acknowledged.

        Raises:
            Unavailable: the broker does not answer.
        """
        ...
