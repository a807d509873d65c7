"""`/readyz` is for probes that do not wait: it answers within a second, whatever hangs."""

from typing import Any

import pytest
import trio

from protocol.errors import Unavailable
from tests.unit.site import Site, open_site

WITHIN_S = 0.8


class Database:
    """Answers a ping at once, or after so long, or with an error."""

    def __init__(self) -> None:
        self.takes_s = 0.0
        self.error: Exception | None = None
        self.asked = 0

    async def ping(self) -> None:
        self.asked += 1
        if self.takes_s:
            await trio.sleep(self.takes_s)
        else:
            await trio.lowlevel.checkpoint()
        if self.error is not None:
            raise self.error


async def told(site: Site) -> str:
    """What it says of the database; in time."""
    since_s = trio.current_time()
    answer = await (await site.raw("GET", "/readyz")).get_json()
    assert trio.current_time() - since_s < WITHIN_S
    said: str = answer["checks"]["database"]
    return said


async def test_a_database_that_hangs_is_told_by_what_is_known(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database()
    async with open_site() as site:
        monkeypatch.setattr(site.service.store, "ping", database.ping)
        assert await told(site) == "ok"
        database.takes_s = 3600.0
        assert await told(site) == "ok"  # it may be slow just now
        began_s = trio.current_time()
        while trio.current_time() < began_s + 60:
            said = await told(site)
            await trio.sleep(1)
            if trio.current_time() > began_s + 3:
                assert said.startswith("has not answered for ")
        assert said in {f"has not answered for {n} s" for n in range(58, 62)}
        database.takes_s = 0.1
        await trio.sleep(3)  # until the last of those that hung is given up
        await told(site)
        assert await told(site) == "ok"


async def test_many_who_ask_at_once_are_one_question(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database()
    database.takes_s = 0.3
    async with open_site() as site:
        monkeypatch.setattr(site.service.store, "ping", database.ping)
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(told, site)
        assert database.asked == 1


async def test_why_it_does_not_answer_is_told(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database()
    database.error = Unavailable("it starts just now")
    async with open_site() as site:
        monkeypatch.setattr(site.service.store, "ping", database.ping)
        assert await told(site) == "has not answered for 0 s: it starts just now"
        database.error = None
        assert await told(site) == "ok"
