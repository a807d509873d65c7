"""Structured logs on standard error: text on a terminal, JSON lines elsewhere.

A separate thread writes them, so a pipe that nobody reads blocks no task. Lines that do not fit
into the queue are dropped and counted, and the next line that is written says how many.
"""

import atexit
import logging
import os
import sys
import threading
import traceback
from collections import deque
from typing import Any, TextIO

from protocol.errors import SettingsError
from protocol.printable import printable

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("auto", "text", "json")

# Of lines that wait for the pipe: about ten thousand.
BYTES_MAX = 2 << 20
FLUSH_WITHIN_S = 0.5
STDERR = 2


class LogWriter:
    """A text stream that never blocks: `write` queues, a thread writes to the file descriptor.

    Attributes:
        dropped: lines without room, since the start.
    """

    def __init__(self, fd: int, bytes_max: int = BYTES_MAX) -> None:
        self.dropped = 0
        self._fd = fd
        self._bytes_max = bytes_max
        self._lines: deque[bytes] = deque()
        self._bytes = 0  # of these, and of those that are being written
        self._untold = 0  # dropped since a line said how many
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        line = text.encode("utf-8", "backslashreplace")
        with self._changed:
            if self._bytes + len(line) > self._bytes_max:
                self.dropped += 1
                self._untold += 1
            else:
                self._lines.append(line)
                self._bytes += len(line)
                self._changed.notify_all()
        return len(text)

    def flush(self) -> None:
        """Nothing: the thread writes as soon as it can. See `drain`."""

    def drain(self, within_s: float) -> None:
        """Wait (bounded) until everything is written. Blocks: only for the end of the process."""
        with self._changed:
            self._changed.wait_for(lambda: not self._bytes, within_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._lines or self._untold))
                lines = b"".join(self._lines)
                if self._untold:
                    lines += b'{"event": "log lines dropped", "lines": %d}\n' % self._untold
                taken, self._untold = sum(map(len, self._lines)), 0
                self._lines.clear()
            _write(self._fd, lines)
            with self._changed:
                self._bytes -= taken
                self._changed.notify_all()


def _write(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(fd, left) :]
        except OSError:  # closed by the reader
            return


_writer: LogWriter | None = None


def dropped() -> int:
    """How many lines were dropped so far."""
    return 0 if _writer is None else _writer.dropped


def flush() -> None:
    """Wait, for half a second at most, until what was logged is written."""
    if _writer is not None:
        _writer.drain(FLUSH_WITHIN_S)


def _printable(_: Any, __: str, entry: Any) -> Any:
    """Devices and strangers choose a part of what is logged."""
    for name, value in entry.items():
        if isinstance(value, str):
            entry[name] = printable(value)
    return entry


def _traceback(out: TextIO, error: Any) -> None:
    """A plain one: prettier ones print local variables, and thereby secrets."""
    text = "".join(traceback.format_exception(*error)).rstrip("\n")
    out.write(printable(text, keeps="\n"))


def configure(level: str, form: str) -> None:
    """Send our logs, and the warnings of libraries, to standard error."""
    global _writer
    import structlog  # the import takes a fifth of a second: only for commands that log

    if level not in LEVELS:
        raise SettingsError(f"log level: {level!r} is not one of {', '.join(LEVELS)}")
    if form not in FORMATS:
        raise SettingsError(f"log format: {form!r} is not one of {', '.join(FORMATS)}")
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    end: list[structlog.typing.Processor]
    if as_text:
        colors = sys.stderr.isatty()
        text = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=_traceback)
        end = [_printable, text]
    else:
        without_locals = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        end = [
            structlog.processors.ExceptionRenderer(without_locals),
            structlog.processors.JSONRenderer(),
        ]
    if _writer is None:
        _writer = LogWriter(STDERR)
        atexit.register(flush)
    number = getattr(logging, level.upper())
    structlog.configure(
        processors=[*shared, *end],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(_writer),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(_writer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *end],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(number, logging.WARNING))
    # gmqtt and asyncio warn about lost connections, which our own logs report with their session.
    logging.getLogger("gmqtt").setLevel(logging.ERROR)
    logging.getLogger("asyncio").setLevel(logging.ERROR)
