"""Who hears what became of the units that the writer was given."""

from collections.abc import Sequence
from typing import Protocol

from actors.ports.store import Committed
from protocol.records import WriteUnit


class CommitListener(Protocol):
    """Is told what happened to units."""

    def committed(self, committed: Committed, units: Sequence[WriteUnit], /) -> None:
        """Called with every commit and its units, in order."""
        ...

    def gave_up(self, units: Sequence[WriteUnit], epoch: int, /) -> None:
        """These units are not stored, because another process has led since they were taken, under
        this epoch. The broker still has their messages. Their actors remember a state that is not
        stored."""
        ...
