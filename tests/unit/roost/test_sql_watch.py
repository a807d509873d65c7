"""Who watches SQL logins goes on while the database is away, and is no failure then."""

import trio
import trio.testing

from protocol.errors import Unavailable
from roost.sql_watch import LOOK_EVERY_S, watch_readers


class Readers:
    def __init__(self) -> None:
        self.is_away = True
        self.calls: list[str] = []

    async def lead_readers(self) -> None:
        await self._call("lead")

    async def end_late_readers(self) -> None:
        await self._call("end")

    async def _call(self, name: str) -> None:
        await trio.lowlevel.checkpoint()
        if self.is_away:
            raise Unavailable("away")
        self.calls.append(name)


async def test_it_leads_readers_once_and_looks_again_and_again(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    readers = Readers()
    nursery.start_soon(watch_readers, readers)
    await trio.sleep(2.5 * LOOK_EVERY_S)
    readers.is_away = False
    await trio.sleep(2 * LOOK_EVERY_S)
    readers.is_away = True
    await trio.sleep(2 * LOOK_EVERY_S)
    readers.is_away = False
    await trio.sleep(LOOK_EVERY_S)
    assert readers.calls == ["lead", "end", "end", "end"]
