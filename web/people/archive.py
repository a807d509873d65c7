"""A ZIP file that is sent while it is made.

    archive = Archive(now_us)
    archive.begin("devices.ndjson")
    archive.add(line)
    yield archive.taken()          # now and then
    yield await archive.end()

A generator that is left halfway leaves nothing open: what is not sent is garbage like the rest.

Nothing is kept but what was not taken yet, and the directory: some 600 bytes for each file.
"""

from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import trio

from protocol.times import format_us

# The directory of so many files is written in milliseconds; a longer one in a thread.
DIRECTORY_MAX = 500
LEVEL = 1  # half the time of the usual one, for a tenth more bytes


class _Sink:
    """A file that cannot go back, as `zipfile` needs it."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self.parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        return


class Archive:
    def __init__(self, now_us: int) -> None:
        self._sink = _Sink()
        self._zip = ZipFile(self._sink, "w")  # type: ignore[call-overload]
        self._file: IO[bytes] | None = None
        day, _, time = format_us(now_us)[:19].partition("T")
        year, month, of_month = (int(part) for part in day.split("-"))
        hour, minute, second = (int(part) for part in time.split(":"))
        self._now = year, month, of_month, hour, minute, second

    def begin(self, name: str, *, packed: bool = True) -> None:
        """A new file, which ends the one before.

        Args:
            packed: False for content that is compressed already.
        """
        entry = ZipInfo(name, self._now)
        entry.compress_type = ZIP_DEFLATED if packed else ZIP_STORED
        entry._compresslevel = LEVEL  # type: ignore[attr-defined]
        entry.external_attr = 0o600 << 16
        self._end_file()
        self._file = self._zip.open(entry, "w", force_zip64=True)

    def add(self, data: bytes) -> None:
        """To the file that was begun last."""
        assert self._file is not None
        self._file.write(data)

    def _end_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def taken(self) -> bytes:
        """What was made since the last time."""
        made, self._sink.parts = b"".join(self._sink.parts), []
        return made

    async def end(self) -> bytes:
        """The directory, which is the end of the file."""
        self._end_file()
        if len(self._zip.filelist) > DIRECTORY_MAX:
            await trio.to_thread.run_sync(self._zip.close)
        else:
            self._zip.close()
        return self.taken()
