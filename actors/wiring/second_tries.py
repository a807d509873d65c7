"""Retries dead letters whose work has no row of its own, beside everything else."""

from collections.abc import Awaitable, Callable
from functools import partial

from actors.due.dead_letters import expire_again, read_row_again
from actors.media import library
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.supervisor import Supervisor
from protocol.dead_letters import DEVICES, ERASURES, HISTORY, LISTENERS, MEDIA, ROWS, DeadLetter

TryAgain = Callable[[DeadLetter], None]


class SecondTries:
    def __init__(
        self, store: Store, clock: WallClock, media: library.Library, supervisor: Supervisor
    ) -> None:
        self._store = store
        self._clock = clock
        self._media = media
        self._supervisor = supervisor

    def by_work(
        self, load_device: TryAgain, look_at_listener: TryAgain, erase_account: TryAgain
    ) -> dict[str, TryAgain]:
        return {
            ERASURES: erase_account,
            DEVICES: load_device,
            LISTENERS: look_at_listener,
            MEDIA: self._settle_media,
            ROWS: self._read_row,
            HISTORY: self._expire,
        }

    def _read_row(self, letter: DeadLetter) -> None:
        self._run(
            f"row {letter.subject}", partial(read_row_again, self._store, self._clock, letter)
        )

    def _expire(self, letter: DeadLetter) -> None:
        """Delete that feed's readings beyond its retention; other feeds after it are included."""
        name = f"history of feed {letter.subject}"
        self._run(name, partial(expire_again, self._store, self._clock, letter))

    def _settle_media(self, letter: DeadLetter) -> None:
        """Check once more whether anybody has this content."""
        self._run(f"media {letter.subject}", partial(self._media.settle_again, letter.subject))

    def _run(self, name: str, again: Callable[[], Awaitable[None]]) -> None:
        self._supervisor.run_contained(name, again, gave_up=lambda: None)
