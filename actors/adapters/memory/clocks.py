"""Memory twins of the small ports: clock, ids and hasher, all deterministic."""

import random
import uuid

import trio


class ManualClock:
    """Civil time that moves only when a test moves it."""

    def __init__(self, now_us: int = 1_790_000_000_000_000) -> None:
        self._now_us = now_us
        self._was_set = trio.Event()

    def now_us(self) -> int:
        return self._now_us

    def advance(self, seconds: float) -> None:
        self._now_us += round(seconds * 1_000_000)
        was_set, self._was_set = self._was_set, trio.Event()
        was_set.set()

    async def wait_set(self) -> None:
        await self._was_set.wait()


class SeededIds:
    """Ids that depend on the seed only."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def secret(self) -> str:
        return f"{self._rng.getrandbits(160):040x}"

    def secret_bits(self) -> bytes:
        return self._rng.randbytes(32)


class PlainHasher:
    """No hash at all: threads would break an autojump clock."""

    async def hash(self, password: str) -> str:
        return f"plain:{password}"

    async def verify(self, hashed: str | None, password: str) -> bool:
        return hashed == f"plain:{password}"


class MemoryMachine:
    """A disk that is nearly full while a test says so."""

    def __init__(self) -> None:
        self.takes = True

    def checks(self) -> dict[str, str]:
        return {"disk": "ok" if self.takes else "nearly full"}
