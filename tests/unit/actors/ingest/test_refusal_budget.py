"""Refusals beyond the budget of a device or its user: counted, and not kept."""

from typing import Any

import trio

from actors.ingest.refusal_budget import HOUR_S, RefusalBudget, RefusalLimits, cost_of
from actors.ingest.rejections import refused_whole, rejection
from protocol.device.payloads import parse_ack
from protocol.device.topics import parse_topic
from protocol.errors import Reason, Refusal
from protocol.messages import Unreadable
from protocol.problems.detail import Detail
from protocol.records import AckChange, Origin, WriteUnit
from tests.unit.makers import DEVICE, NOW, OTHER_USER, USER

REFUSAL = Refusal(Reason.NOT_JSON, Detail("message_not_json"))


def limits(**changes: int) -> RefusalLimits:
    usual = {
        "device_per_hour": 2,
        "device_bytes_per_hour": 1 << 20,
        "user_per_hour": 3,
        "user_bytes_per_hour": 1 << 20,
        "kept_max": 10,
        "kept_bytes_max": 1 << 20,
    }
    return RefusalLimits(**(usual | changes))


def origin_of(code: str = "d1", user: str = USER, payload: bytes = b"x") -> Origin:
    topic = f"users/{user}/devices/{code}/feeds/t"
    return Origin(parse_topic(topic), topic, payload, NOW)


def refused(code: str = "d1", user: str = USER, payload: bytes = b"x") -> WriteUnit:
    message = Unreadable(origin=origin_of(code, user, payload), refusal=REFUSAL, count=1)
    return refused_whole(message, REFUSAL, DEVICE)


def outcome(unit: WriteUnit) -> tuple[int, int]:
    return len(unit.rejections), len(unit.not_kept)


async def test_a_device_is_counted_beyond_its_number_and_kept_again_an_hour_later(
    autojump_clock: Any,
) -> None:
    budget = RefusalBudget(limits(user_per_hour=100))
    outcomes = [outcome(budget.judged(refused())) for _ in range(4)]
    assert outcomes == [(1, 0), (1, 0), (0, 1), (0, 1)]
    assert outcome(budget.judged(refused("d2"))) == (1, 0)
    await trio.sleep(HOUR_S / 2)
    assert [outcome(budget.judged(refused())) for _ in range(2)] == [(1, 0), (0, 1)]


async def test_the_accounts_are_the_same_whether_it_is_kept_or_not() -> None:
    budget = RefusalBudget(limits(device_per_hour=1))
    kept, counted = budget.judged(refused()), budget.judged(refused())
    assert (kept.refused, counted.refused) == (1, 1)
    assert not counted.is_empty
    assert counted.receipt is kept.receipt


async def test_all_devices_of_a_user_have_one_budget_and_other_users_their_own() -> None:
    budget = RefusalBudget(limits())
    outcomes = [outcome(budget.judged(refused(f"d{n}"))) for n in range(5)]
    assert outcomes == [(1, 0)] * 3 + [(0, 1)] * 2
    assert outcome(budget.judged(refused(user=OTHER_USER))) == (1, 0)


async def test_a_budget_of_bytes_is_paid_back_before_more_is_kept(autojump_clock: Any) -> None:
    size = cost_of(refused(payload=b"x" * 4096).rejections[0])
    assert size > 4096
    budget = RefusalBudget(limits(device_per_hour=1000, device_bytes_per_hour=size // 2))
    large = refused(payload=b"x" * 4096)
    assert outcome(budget.judged(large)) == (1, 0)  # it owes as much as it had
    await trio.sleep(0.9 * HOUR_S)
    assert outcome(budget.judged(large)) == (0, 1)
    await trio.sleep(0.2 * HOUR_S)
    assert outcome(budget.judged(large)) == (1, 0)


def said_of_nothing() -> AckChange:
    origin = origin_of()
    said = parse_ack(b'{"status": "delivered"}', NOW)
    return AckChange(("d", "d1"), DEVICE, 1, said, rejection(origin, REFUSAL, DEVICE))


async def test_answers_to_no_command_cost_as_much_once_the_store_knows_none() -> None:
    budget = RefusalBudget(limits(device_per_hour=1))
    unit = WriteUnit(device=("d", "d1"), acks=(said_of_nothing(),))
    for _ in range(3):  # good ones cost nothing
        judged = budget.judged(unit)
        assert judged.acks[0].keeps
        budget.committed([judged], [])
    budget.committed([judged], judged.acks)
    counted = budget.judged(unit)
    assert not counted.acks[0].keeps
    assert budget.not_kept == 0
    budget.committed([counted], counted.acks)
    assert budget.not_kept == 1
