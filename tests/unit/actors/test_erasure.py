"""An account is erased in portions, by whoever leads, whatever fails meanwhile."""

from typing import Any

import pytest
import trio
import trio.testing

from actors.erasure import Erasures
from protocol.dead_letters import ERASURES, DeadLetter
from protocol.errors import Unavailable
from protocol.people.user import DisabledUser
from tests.unit.multipart import HEADERS, body, part
from tests.unit.samples import png
from tests.unit.site import ACCOUNT, Site

BOB = {**ACCOUNT, "email": "bob@example.org"}


async def add_things(site: Site) -> str:
    """Two devices with feeds, a shared feed, media with a schedule, a listener; the user's id."""
    _, me = await site.call("GET", "/users/me")
    for code in ("d1", "d2"):
        device = await site.device(code)
        feed = {"device_id": device["id"], "key": "t", "name": "t", "kind": "number"}
        assert (await site.post("/feeds", feed))[0] == 201
    assert (await site.post("/feeds", {"key": "s", "name": "s", "kind": "number"}))[0] == 201
    upload = body(part(png(1, 1), "a.png"))
    assert (await site.call("POST", "/media", data=upload, headers=HEADERS))[0] == 201
    await site.post("/mqtt-listener", {})
    return str(me["id"])


async def as_bob(site: Site) -> str:
    await site.post("/users", BOB)
    _, token = await site.post("/login/access-token", BOB)
    site.headers = {"x-auth-token": token["access_token"]}
    return await add_things(site)


async def gone(site: Site, user_id: str) -> None:
    with trio.fail_after(20):
        while await site.service.store.user(user_id) is not None:  # noqa: ASYNC110 (black box)
            await trio.sleep(0.01)


async def put_aside(site: Site) -> DeadLetter:
    """The only one: two accounts are erased side by side."""
    with trio.fail_after(20):
        while not (letters := await site.service.store.dead_letters(10, None)):
            await trio.sleep(0.01)
    (letter,) = letters
    return letter


async def erase(site: Site, user_id: str) -> None:
    changes, now_us = site.service.changes, site.service.clock.now_us()
    assert await changes.disable_account(user_id, now_us, erase=True)


async def test_everything_goes_and_a_content_that_somebody_else_has_stays(site: Site) -> None:
    mine, store = await add_things(site), site.service.store
    await as_bob(site)
    assert site.files.contents == 1  # both have the same picture
    await erase(site, mine)
    await gone(site, mine)
    assert await store.devices(mine, 10, 0) == []
    assert await store.feeds(mine, 10, 0) == []
    assert site.files.contents == 1
    assert len((await site.call("GET", "/devices"))[1]["items"]) == 2
    _, me = await site.call("GET", "/users/me")
    await erase(site, me["id"])
    await gone(site, me["id"])
    assert site.files.contents == 0
    assert (await site.call("GET", "/devices"))[0] == 401


async def test_a_store_that_does_not_answer_only_delays_it(site: Site) -> None:
    mine = await add_things(site)
    site.faults.calls.waiting.append(("delete_device", "before"))
    site.faults.calls.waiting.append(("erase_user", "after"))
    await erase(site, mine)
    await gone(site, mine)
    assert not site.faults.calls.waiting


async def test_one_that_fails_is_put_aside_and_stops_nobody(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = await add_things(site)
    theirs = await as_bob(site)
    remove = site.service.media.remove

    async def damaged(media: Any) -> None:
        if media.user_id == mine:
            raise ValueError("a damaged row")
        await remove(media)

    with monkeypatch.context() as patch:
        patch.setattr(site.service.media, "remove", damaged)
        await erase(site, mine)
        await erase(site, theirs)
        await gone(site, theirs)
        letter = await put_aside(site)
        assert (letter.work, letter.subject) == (ERASURES, mine)
    site.clock.advance(20)
    site.service.scheduler.wake("dead letters")
    await gone(site, mine)
    assert await site.service.store.dead_letters(10, None) == []


async def test_only_who_leads_erases(autojump_clock: trio.testing.MockClock) -> None:
    erased: list[str] = []
    leads, away = trio.Event(), [True]

    async def erase(user_id: str) -> None:
        await trio.lowlevel.checkpoint()
        if away and away.pop():
            raise Unavailable("the database does not answer")
        erased.append(user_id)

    unused: Any = None
    erasures = Erasures(unused, unused, erase, leads.wait)
    users = [
        DisabledUser(id=each, disabled_us=1, is_erased=each != "locked") for each in ("a", "locked")
    ]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(erasures.run)
        erasures.found(users)
        await trio.sleep(100)
        assert erased == []
        leads.set()
        await trio.sleep(100)
        assert erased == ["a"]
        nursery.cancel_scope.cancel()
