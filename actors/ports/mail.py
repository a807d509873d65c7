"""Mail to people."""

from typing import Protocol


class Mailer(Protocol):
    async def send(self, to: str, subject: str, text: str) -> None:
        """Raises `Unavailable` if the server does not accept it."""
        ...
