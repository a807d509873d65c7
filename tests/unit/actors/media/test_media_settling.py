"""Contents of which it is to be asked whether anybody has them: one that fails, fails alone."""

from typing import Any

import pytest
import trio

from actors.adapters.memory.clocks import ManualClock
from actors.adapters.memory.store.media import MemoryFiles
from actors.adapters.memory.store.store import MemoryStore
from actors.media import library
from actors.runtime.isolation import ALONE_MAX
from protocol.errors import Busy, Unavailable
from protocol.problems.detail import Detail
from tests.unit.makers import NOW
from tests.unit.site import Site

BAD = b"b".ljust(32, b".")


class Disk(MemoryFiles):
    """Some of its files cannot be removed."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: set[bytes] = {BAD}

    async def remove(self, sha256: bytes) -> None:
        if sha256 in self.bad:
            raise Busy(Detail("media_failed"), retry_after_s=10)
        await super().remove(sha256)

    def grow_old(self) -> None:
        """All doubts are old enough to be looked at."""
        aged = {each: since_s - library.DOUBT_AGE_S for each, since_s in self._doubtful.items()}
        self._doubtful = aged


class Scene:
    def __init__(self) -> None:
        self.files = Disk()
        self.clock = ManualClock(NOW)
        self.store = MemoryStore(self.clock)
        self.media = library.Library(self.store, self.files, self.clock)

    async def doubt(self, *names: bytes) -> None:
        for name in names:
            self.files.put(name, name)
            await self.files.doubt(name)
        self.files.grow_old()

    async def letters(self) -> list[tuple[str, str, int]]:
        found = await self.store.dead_letters(100, None)
        return [(each.work, each.subject, each.attempts) for each in found]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def contents(*names: str) -> list[bytes]:
    return [name.encode().ljust(32, b".") for name in names]


async def test_a_bad_content_blocks_no_other(scene: Scene) -> None:
    """Everything behind it stayed on the disk, hour after hour."""
    await scene.doubt(*contents("a", "b", "c", "d"))
    await scene.media.settle_all()
    assert await scene.files.doubtful(0) == [BAD]
    assert scene.files.contents == 1
    assert await scene.letters() == [("media", BAD.hex(), 1)]
    (letter,) = await scene.store.dead_letters(1, None)
    assert letter.reason == str(Detail("media_failed"))


async def test_it_is_tried_again_with_growing_pauses_and_its_letter_goes(scene: Scene) -> None:
    await scene.doubt(BAD)
    await scene.media.settle_all()
    await scene.media.settle_again(BAD.hex())
    assert await scene.letters() == [("media", BAD.hex(), 2)]
    scene.files.bad.clear()
    await scene.media.settle_again(BAD.hex())
    assert await scene.letters() == []
    assert scene.files.contents == 0
    assert await scene.files.doubtful(0) == []


async def test_whoever_settles_it_clears_its_letter(scene: Scene) -> None:
    await scene.doubt(BAD)
    await scene.media.settle_all()
    scene.files.bad.clear()
    await scene.media.settle_all()
    assert await scene.letters() == []


async def test_a_letter_whose_content_was_settled_elsewhere_goes(scene: Scene) -> None:
    await scene.store.put_aside("media", BAD.hex(), "r", now_us=NOW)
    await scene.media.settle_again(BAD.hex())
    assert await scene.letters() == []


async def test_what_was_uploaded_just_now_is_not_settled_early(scene: Scene) -> None:
    scene.files.bad.clear()
    await scene.store.put_aside("media", BAD.hex(), "r", now_us=NOW)
    scene.files.put(BAD, b"anew")
    await scene.files.doubt(BAD)
    await scene.media.settle_again(BAD.hex())
    assert scene.files.contents == 1
    assert await scene.letters() == [("media", BAD.hex(), 1)]


async def test_a_disk_that_fails_for_all_is_about_no_content(scene: Scene) -> None:
    many = contents(*(f"{n:02}" for n in range(ALONE_MAX + 1)))
    scene.files.bad |= set(many)
    await scene.doubt(*many)
    with pytest.raises(Busy):
        await scene.media.settle_all()
    assert await scene.letters() == []


async def test_a_store_that_is_away_is_about_no_content(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*args: Any) -> bool:
        raise Unavailable("away")

    await scene.doubt(*contents("a"))
    monkeypatch.setattr(scene.store, "is_content_used", away)
    with pytest.raises(Unavailable):
        await scene.media.settle_all()
    await scene.media.settle_again(contents("a")[0].hex())
    assert await scene.letters() == []


async def test_the_service_tries_it_when_its_letter_is_due(site: Site) -> None:
    """An operator who asks for it need not wait for the hour."""
    store = site.service.store
    await store.put_aside("media", BAD.hex(), "r", now_us=site.clock.now_us())
    await store.retry_dead_letters(None, site.clock.now_us())
    site.service.scheduler.wake("dead letters")
    with trio.fail_after(5):
        while await store.dead_letters(1, None):
            await trio.sleep(0.01)
