"""What every store promises of media: PostgreSQL and its memory twin."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from protocol.media.media import Media, Tally
from protocol.rest.listing import MEDIA
from tests.contract.refused import refused
from tests.contract.test_store import Home
from tests.contract.test_store_schedules import some_schedule
from tests.support.lists import items
from tests.unit.makers import NOW, OTHER_USER, SECOND, USER

DAY = 86_400 * SECOND


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


def some_media(n: int = 1, **changes: Any) -> Media:
    fields: dict[str, Any] = {
        "num": 0,
        "id": f"00000000-0000-4000-c000-{n:012d}",
        "user_id": USER,
        "filename": f"{n}.png",
        "content_type": "image/png",
        "size": 10 * n,
        "sha256": bytes([n]) * 32,
        "width": 3,
        "height": 2,
        "created_us": NOW,
    }
    return Media(**{**fields, **changes})


async def test_media_are_found_as_they_were_added(home: Home) -> None:
    media = some_media()
    stored = await home.store.add_media(media)
    assert (stored.id, stored.width, stored.sha256) == (media.id, 3, media.sha256)
    assert await home.store.media(USER, media.id) == stored
    assert await home.store.media_by_id(media.id) == stored
    assert await home.store.media(OTHER_USER, media.id) is None


async def test_a_user_has_a_content_once_and_others_have_it_too(home: Home) -> None:
    first = await home.store.add_media(some_media(1))
    again = await home.store.add_media(some_media(2, sha256=first.sha256))
    assert again == first
    other = await home.store.add_media(some_media(3, sha256=first.sha256, user_id=OTHER_USER))
    assert other.id != first.id
    assert await home.store.media_used(USER) == 10
    await home.store.delete_media(USER, first.id)
    assert await home.store.is_content_used(first.sha256)
    await home.store.delete_media(OTHER_USER, other.id)
    assert not await home.store.is_content_used(first.sha256)


async def test_one_content_added_at_once_is_there_once(home: Home) -> None:
    stored: list[Media] = []

    async def add(n: int) -> None:
        stored.append(await home.store.add_media(some_media(n, sha256=b"s" * 32)))

    async with trio.open_nursery() as nursery:
        for n in range(1, 9):
            nursery.start_soon(add, n)
    assert len({media.id for media in stored}) == 1
    assert len(await items(home.store, MEDIA, USER, 10)) == 1


async def test_lists_come_newest_first_in_pages(home: Home) -> None:
    for n in range(1, 6):
        await home.store.add_media(some_media(n))
    await home.store.add_media(some_media(6, user_id=OTHER_USER))
    page = await items(home.store, MEDIA, USER, 3)
    assert [media.filename for media in page] == ["5.png", "4.png", "3.png"]
    rest = await items(home.store, MEDIA, USER, 3, page[-1])
    assert [media.filename for media in rest] == ["2.png", "1.png"]


async def test_nobody_deletes_what_is_anothers(home: Home) -> None:
    media = await home.store.add_media(some_media())
    await home.store.delete_media(OTHER_USER, media.id)
    await home.store.delete_media(USER, "00000000-0000-4000-8000-000000000000")
    assert await home.store.media(USER, media.id) == media


async def test_counts_are_by_type_and_by_day_in_utc(home: Home) -> None:
    midnight = NOW - NOW % DAY
    await home.store.add_media(some_media(1, created_us=midnight - 1))
    await home.store.add_media(some_media(2, created_us=midnight))
    await home.store.add_media(some_media(3, created_us=midnight + 5, content_type="text/plain"))
    await home.store.add_media(some_media(4, created_us=midnight - 40 * DAY))
    await home.store.add_media(some_media(5, user_id=OTHER_USER))
    counts = await home.store.media_stats(USER, midnight - DAY)
    assert counts.total == Tally(4, 100)
    assert counts.by_type == {"image/png": Tally(3, 70), "text/plain": Tally(1, 30)}
    assert [counts.by_day[day] for day in sorted(counts.by_day)] == [Tally(1, 10), Tally(2, 50)]
    assert await home.store.media_used(USER) == 100


async def test_days_of_uploads_are_those_of_a_zone(home: Home) -> None:
    midnight = NOW - NOW % DAY
    hour = DAY // 24
    for n, created_us in enumerate((midnight - 8 * hour, midnight - 7 * hour, midnight), start=1):
        await home.store.add_media(some_media(n, created_us=created_us))
    counts = await home.store.media_stats(USER, midnight - DAY, "Asia/Ho_Chi_Minh")
    assert [counts.by_day[day] for day in sorted(counts.by_day)] == [Tally(1, 10), Tally(2, 50)]


async def test_nothing_counts_as_nothing(home: Home) -> None:
    counts = await home.store.media_stats(USER, NOW)
    assert (counts.total, counts.by_type, counts.by_day) == (Tally(), {}, {})
    assert await home.store.media_used(USER) == 0


async def test_media_go_only_when_no_schedule_needs_them(home: Home) -> None:
    media = await home.store.add_media(some_media())
    schedule = some_schedule(media_id=media.id)
    await home.store.add_schedule(schedule, [NOW])
    with refused("media_in_use"):
        await home.store.delete_media(USER, media.id)
    await home.store.delete_schedule(USER, schedule.id)
    await home.store.delete_media(USER, media.id)
    assert await home.store.media(USER, media.id) is None
