"""Refusals in every store: counted where they are not kept, deleted, and bounded for each user."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from actors.ingest.rejections import rejection
from protocol.device.payloads import parse_ack
from protocol.device.refusals import NotKept
from protocol.device.topics import parse_topic
from protocol.errors import Reason, Refusal
from protocol.problems.detail import Detail
from protocol.records import AckChange, Origin, Rejection, WriteUnit
from protocol.rest.listing import REJECTIONS
from tests.contract.test_store import Home
from tests.support.lists import items
from tests.unit.makers import DEVICE, NOW, OTHER_USER, SECOND, USER

KEY = (USER, "d1")


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


def refused(
    payload: str = "x", at_us: int = NOW, user: str = USER, device: str = DEVICE, **changes: Any
) -> Rejection:
    topic = f"users/{user}/devices/d1/feeds/t"
    origin = Origin(parse_topic(topic), topic, payload.encode(), at_us)
    made = rejection(origin, Refusal(Reason.NOT_JSON, Detail("message_not_json")), device)
    return msgspec.structs.replace(made, **changes)


async def payloads(home: Home, user: str = USER) -> list[str]:
    return sorted(each.payload for each in await items(home.store, REJECTIONS, user, 1_000))


async def test_what_is_not_kept_is_counted_once_with_its_device(home: Home) -> None:
    units = [
        WriteUnit(device=KEY, not_kept=(refused(), refused(at_us=NOW + SECOND))),
        WriteUnit(device=KEY, rejections=(refused("kept"),), not_kept=(refused(),)),
        WriteUnit(device=(OTHER_USER, "d1"), not_kept=(refused(user=OTHER_USER),)),
    ]
    batch = home.batch(*units)
    await home.store.commit(batch)
    await home.store.commit(batch)  # its answer was lost
    assert await payloads(home) == ["kept"]
    (kept,) = await items(home.store, REJECTIONS, USER, 10)
    assert kept.coded == Detail("message_not_json").coded
    assert await home.store.not_kept(*KEY) == NotKept(3, NOW + SECOND)
    assert await home.store.not_kept(OTHER_USER, "d1") == NotKept(1, NOW)
    await home.commit(WriteUnit(device=KEY, not_kept=(refused(at_us=NOW - SECOND),)))
    assert await home.store.not_kept(*KEY) == NotKept(4, NOW + SECOND)
    assert await home.store.not_kept(USER, "d2") == NotKept()
    await home.store.delete_device(USER, DEVICE, False)
    assert await home.store.not_kept(*KEY) == NotKept()


async def test_an_answer_to_no_command_is_kept_or_counted_as_it_says(home: Home) -> None:
    said = parse_ack(b'{"status": "delivered"}', NOW)
    ack = AckChange(KEY, DEVICE, home.device.num, said, refused("of nothing"))
    counted = msgspec.structs.replace(ack, keeps=False)
    committed = await home.commit(
        WriteUnit(device=KEY, acks=(ack,)), WriteUnit(device=KEY, acks=(counted,))
    )
    assert [each.keeps for each in committed.unknown] == [True, False]
    assert await payloads(home) == ["of nothing"]
    assert await home.store.not_kept(*KEY) == NotKept(1, NOW)


async def test_one_refusal_is_deleted_by_its_id_and_by_nobody_else(home: Home) -> None:
    await home.commit(WriteUnit(device=KEY, rejections=(refused("a"), refused("b"))))
    (first, _) = sorted(await items(home.store, REJECTIONS, USER, 10), key=lambda r: r.payload)
    assert not await home.store.delete_rejection(OTHER_USER, first.id)
    assert await home.store.delete_rejection(USER, first.id)
    assert not await home.store.delete_rejection(USER, first.id)
    assert await payloads(home) == ["b"]


async def test_refusals_are_deleted_by_device_reason_and_time(home: Home) -> None:
    other = "5f0e4a64-9c1f-4a83-93a8-6e9c0f3c6f6e"
    kept = (
        refused("old", NOW - SECOND),
        refused("new", NOW),
        refused("elsewhere", NOW, device=other),
        refused("range", NOW, reason=Reason.OUT_OF_RANGE),
    )
    theirs = WriteUnit(device=(OTHER_USER, "d1"), rejections=(refused("theirs", user=OTHER_USER),))
    await home.commit(WriteUnit(device=KEY, rejections=kept), theirs)
    delete = home.store.delete_rejections
    assert await delete(USER, before_us=NOW) == 1
    assert await delete(USER, reason="out_of_range") == 1
    assert await delete(USER, device_id=other) == 1
    assert await payloads(home) == ["new"]
    assert await delete(USER) == 1
    assert await delete(USER) == 0
    assert await payloads(home, OTHER_USER) == ["theirs"]


async def test_of_each_user_the_newest_are_kept_by_number_and_by_bytes(home: Home) -> None:
    mine = tuple(refused(f"m{n}") for n in range(5))
    theirs = tuple(refused(f"t{n}", user=OTHER_USER) for n in range(2))
    await home.commit(WriteUnit(device=KEY, rejections=mine))
    await home.commit(WriteUnit(device=(OTHER_USER, "d1"), rejections=theirs))
    assert await home.store.trim_rejections(3, 1 << 20) == 2
    assert await payloads(home) == ["m2", "m3", "m4"]
    assert await payloads(home, OTHER_USER) == ["t0", "t1"]
    await home.commit(WriteUnit(device=KEY, rejections=(refused("y" * 4_000),)))
    assert await home.store.trim_rejections(3, 4_800) == 2
    assert await payloads(home) == ["m4", "y" * 4_000]
    assert await home.store.trim_rejections(3, 4_800) == 0
