"""What the broker reports about itself, if it does."""

from typing import Protocol


class BrokerHealth(Protocol):
    async def health(self) -> str:
        """Its problem; "" for none.

        Raises:
            Unavailable: it does not answer.
        """
        ...
