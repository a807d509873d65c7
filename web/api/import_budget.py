"""How much anybody may import: readings, and bytes of files, in an hour.

    call.imports.check(call.user.id)
    ...
    call.imports.count(call.user.id, readings, size)

A file is taken whole while nothing is owed; what it was too much is waited for afterwards.
"""

import math

from actors.runtime.buckets import Buckets
from protocol.errors import TooMany

HOUR_S = 3600.0
# Ten feeds' readings of a year at one a minute; in the database about a gigabyte.
IMPORTED_PER_HOUR = 5_000_000
IMPORTED_BYTES_PER_HOUR = 512 << 20


class Imports:
    def __init__(self, readings: int, size: int) -> None:
        self._readings = Buckets(readings, HOUR_S / readings)
        self._bytes = Buckets(size, HOUR_S / size)

    def check(self, user_id: str) -> None:
        """Raises `TooMany` while more was imported than may be in an hour."""
        wait_s = max(each.wait_s(user_id) for each in (self._readings, self._bytes))
        if wait_s:
            detail = "more was imported than anybody may in an hour"
            raise TooMany(detail, retry_after_s=math.ceil(wait_s))

    def count(self, user_id: str, readings: int, size: int) -> None:
        self._readings.owe(user_id, readings)
        self._bytes.owe(user_id, size)
