"""Unique names, secrets, and hashes of passwords."""

from typing import Protocol

from actors.runtime.clock import WallClock as WallClock


class Ids(Protocol):
    """Names that are unique, and secrets that cannot be guessed."""

    def uuid(self) -> str: ...

    def secret(self) -> str:
        """160 random bits, URL-safe."""
        ...

    def secret_bits(self) -> bytes:
        """256 random bits."""
        ...


class Hasher(Protocol):
    """Slow hashes of passwords that people chose."""

    async def hash(self, password: str) -> str: ...

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Takes as long for `None` (no such user) as for a hash."""
        ...
