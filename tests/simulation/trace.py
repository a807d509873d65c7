"""What happened in a world, line by line: for a person to read, and for a digest to compare."""

import hashlib
import re
from collections import Counter
from collections.abc import MutableMapping
from typing import Any

import structlog
import trio

SHOWN_MAX = 160
ADDRESS = re.compile(" at 0x[0-9a-f]+")  # of an object, another one in each process


class Trace:
    """Who handled what, when, and which fault. Names of people stand for their ids."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.fired: Counter[str] = Counter()
        self._names: dict[str, str] = {}

    def name(self, identity: str, name: str) -> None:
        """From here on `name` stands for this id."""
        self._names[identity] = name

    def note(self, who: str, what: str) -> None:
        for identity, name in self._names.items():
            if identity in what:
                what = what.replace(identity, name)
            if identity in who:
                who = who.replace(identity, name)
        self.lines.append(f"{trio.current_time():12.6f}  {who:<24} {what[:SHOWN_MAX]}")

    def fault(self, kind: str, detail: str = "") -> None:
        """A fault had an effect."""
        self.fired[kind] += 1
        self.note("FAULT", f"{kind} {detail}".rstrip())

    @property
    def digest(self) -> str:
        """One line for all that happened."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()


class LogsOfWorld:
    """The service's log as a part of the trace. Errors that no fault explains are kept.

    Args:
        expected: events of level error that injected faults lead to.
        injected: exceptions that the world itself raises inside actors.
    """

    def __init__(
        self, trace: Trace, expected: tuple[str, ...], injected: tuple[type[Exception], ...]
    ) -> None:
        self.unexpected: list[str] = []
        self._trace = trace
        self._expected = expected
        self._injected = injected

    def __call__(self, logger: Any, level: str, entry: MutableMapping[str, Any]) -> Any:
        event = str(entry.pop("event"))
        error = entry.pop("exc_info", None)
        self._trace.note("log", ADDRESS.sub("", f"{level}: {event} {dict(entry)}"))
        foreign = isinstance(error, Exception) and not isinstance(error, self._injected)
        if foreign or (level in ("error", "critical") and event not in self._expected):
            self.unexpected.append(f"{event} {dict(entry)}")
        raise structlog.DropEvent
