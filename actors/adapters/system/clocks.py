"""The real clock, ids and hasher: the only place that reads the machine's time and randomness."""

import secrets
import time
import uuid

import argon2
import trio

# One hash takes 64 MiB and a core for 170 to 300 ms; more at once would only be slower. Sign-ins do
# not wait for sign-ups and new passwords: each kind has its own place. `web.people.hashing` decides
# before who is next.
_hashing = trio.CapacityLimiter(1)
_verifying = trio.CapacityLimiter(1)
SET_S = 0.005


class SystemClock:
    def now_us(self) -> int:
        return time.time_ns() // 1000

    async def wait_set(self) -> None:
        """Checks once a second; NTP never slews the clock by 5 ms in a second."""
        before_s = time.time() - trio.current_time()
        while True:
            await trio.sleep(1)
            if abs(time.time() - trio.current_time() - before_s) >= SET_S:
                return


class SystemIds:
    def uuid(self) -> str:
        return str(uuid.uuid4())

    def secret(self) -> str:
        return secrets.token_urlsafe(20)

    def secret_bits(self) -> bytes:
        return secrets.token_bytes(32)


class Argon2Hasher:
    """Argon2id with the library's parameters (RFC 9106, low-memory profile), in a thread."""

    def __init__(self) -> None:
        self._hasher = argon2.PasswordHasher()
        # Verified if there is no such user, so that the answer takes as long.
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        return await trio.to_thread.run_sync(self._hasher.hash, password, limiter=_hashing)

    async def verify(self, hashed: str | None, password: str) -> bool:
        return await trio.to_thread.run_sync(self._matches, hashed, password, limiter=_verifying)

    def _matches(self, hashed: str | None, password: str) -> bool:
        if self._nobody is None:
            self._nobody = self._hasher.hash(secrets.token_urlsafe(20))
        try:
            return self._hasher.verify(hashed or self._nobody, password) and hashed is not None
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
