"""The machine on which the embedded servers run."""

from collections.abc import Mapping
from typing import Protocol

from actors.runtime.clock import WallClock as WallClock


class Machine(Protocol):
    """The computer with the embedded servers.

    Attributes:
        takes: whether there is room on its disk for anything new.
    """

    takes: bool

    def checks(self) -> Mapping[str, str]:
        """For `/readyz`: "ok", or what is wrong, by part."""
        ...
