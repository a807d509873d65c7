"""Limits on CSV imports: readings and bytes of files, per user and hour.

    call.imports.check(call.user.id)
    ...
    call.imports.count(call.user.id, readings, size)

A file is always accepted whole. If it exceeds the limit, the next import must wait until the excess
has been made up for.
"""

import math

from actors.runtime.buckets import Buckets
from protocol.errors import TooMany
from protocol.problems.detail import Detail

HOUR_S = 3600.0
# A year of ten feeds with one reading a minute; about a gigabyte in the database.
IMPORTED_PER_HOUR = 5_000_000
IMPORTED_BYTES_PER_HOUR = 512 << 20


class Imports:
    """The hourly budgets of all users.

    Args:
        readings: per user and hour.
        size: bytes of files per user and hour.
    """

    def __init__(self, readings: int, size: int) -> None:
        self._readings = Buckets(readings, HOUR_S / readings)
        self._bytes = Buckets(size, HOUR_S / size)

    def check(self, user_id: str) -> None:
        """Raises `TooMany`, with the time to wait, while this user's budget is overdrawn."""
        wait_s = max(each.wait_s(user_id) for each in (self._readings, self._bytes))
        if wait_s:
            raise TooMany(Detail("imports_full"), retry_after_s=math.ceil(wait_s))

    def count(self, user_id: str, readings: int, size: int) -> None:
        """Charge an import to the user's budget."""
        self._readings.owe(user_id, readings)
        self._bytes.owe(user_id, size)
