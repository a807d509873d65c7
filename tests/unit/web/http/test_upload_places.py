"""Who has a place for an upload, and who gives way."""

import pytest
import trio
import trio.testing

from protocol.errors import Busy, TooSlow
from web.http.upload_places import SAFE_BYTES_PER_S, SAFE_S, UPLOADS_MAX, Place, Uploads


async def trickle(places: Uploads, user_id: str, bytes_per_s: int, ended: list[str]) -> None:
    """An upload that lasts."""
    try:
        with places.take(user_id) as place:
            while True:
                await trio.sleep(1)
                place.came(bytes_per_s)
    except TooSlow:
        ended.append(user_id)


async def test_the_slowest_of_those_who_have_had_their_time_gives_way(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    """Four accounts with 0.7 byte a second had every place for an hour."""
    places, ended = Uploads(), list[str]()
    for n in range(UPLOADS_MAX):
        speed = 1 if n == 5 else 10 + n
        nursery.start_soon(trickle, places, f"user-{n}", speed, ended)
    await trio.sleep(SAFE_S - 1)
    with pytest.raises(Busy), places.take("ada"):
        pass
    await trio.sleep(2)
    with places.take("ada"):
        await trio.testing.wait_all_tasks_blocked()
        assert ended == ["user-5"]
    nursery.cancel_scope.cancel()


async def test_who_is_fast_enough_stays(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    places, ended = Uploads(), list[str]()
    for n in range(UPLOADS_MAX):
        nursery.start_soon(trickle, places, f"user-{n}", 2 * SAFE_BYTES_PER_S, ended)
    await trio.sleep(10 * SAFE_S)
    with pytest.raises(Busy), places.take("ada"):
        pass
    assert ended == []
    nursery.cancel_scope.cancel()


async def test_a_place_is_free_again_when_its_upload_has_ended_whatever_it_ended_with() -> None:
    places = Uploads()
    for _ in range(2 * UPLOADS_MAX):
        with pytest.raises(RuntimeError), places.take("ada"):
            raise RuntimeError("hung up")


async def test_what_was_finished_before_it_had_to_give_way_is_taken() -> None:
    places = Uploads()
    with places.take("ada") as place:
        place.scope.cancel()
    assert isinstance(place, Place)
