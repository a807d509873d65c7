"""What of that which devices have retained may stay at the broker."""

import pytest

from actors.adapters.nats import retained as nats_retained
from actors.ingest.retained_rules import (
    BESIDE_BYTES,
    Bounds,
    Tally,
    beyond,
    can_be_taken,
    session_of,
    stays,
    topic_of,
)
from actors.ports.retained import Held
from protocol.errors import Reason

PLACE = "users/u/devices/d"
BOUNDS = Bounds(topics=2, device_bytes=100, message_bytes=60, session_bytes=10_000)


def reason(tally: Tally, topic: str, size: int) -> str | None:
    refusal = tally.excess(topic, size)
    return None if refusal is None else refusal.reason


def test_a_device_has_so_many_topics_and_bytes_and_what_is_newer_takes_the_place_of_the_old() -> (
    None
):
    tally = Tally(BOUNDS)
    assert reason(tally, "a", 61) == Reason.TOO_LARGE
    assert reason(tally, "a", 60) is None
    assert reason(tally, "b", 41) == Reason.TOO_MANY
    assert reason(tally, "a", 50) is None
    assert reason(tally, "b", 50) is None
    assert reason(tally, "c", 0) == Reason.TOO_MANY
    assert reason(tally, "b", 1) is None


def test_of_all_that_a_session_would_be_brought_the_largest_go() -> None:
    room = BOUNDS.session_bytes // (BESIDE_BYTES + 10)
    held = [
        Held(f"state/1/users/u/devices/d{n}/status", 10 + (n == 3), 1, n) for n in range(room + 1)
    ]
    ((gone, why),) = beyond(held, BOUNDS)
    assert (gone.no, why.reason) == (3, Reason.TOO_MANY)
    assert beyond([each for each in held if each is not gone], BOUNDS) == []


def test_what_no_device_may_send_does_not_stay() -> None:
    ((_, why),) = beyond([Held("users/u/other", 1, 0)], BOUNDS)
    assert why.reason == Reason.BAD_TOPIC


@pytest.mark.parametrize(
    ("tail", "is_seen", "wanted"),
    [
        ("status", False, True),
        ("status", True, True),
        ("feeds/t", False, False),
        ("feeds/t", True, True),
        ("feeds", True, True),
        ("commands/c/ack", True, False),
    ],
)
def test_a_status_stays_and_a_reading_where_others_see_it(
    tail: str, is_seen: bool, wanted: bool
) -> None:
    topic = topic_of(f"{PLACE}/{tail}")
    assert topic is not None
    assert stays(topic, is_seen=is_seen) == wanted


def test_a_reading_of_no_possible_feed_can_never_be_taken() -> None:
    assert not can_be_taken(topic_of(f"part/0/{PLACE}/feeds/A b"))
    assert not can_be_taken(topic_of("part/0/else"))
    assert can_be_taken(topic_of(f"part/0/{PLACE}/feeds/a"))


def test_each_topic_comes_by_one_session() -> None:
    assert session_of(f"part/3/{PLACE}/feeds") == "roost-part-3"
    assert session_of(f"state/0/{PLACE}/status") == "roost-state-0"
    assert session_of(f"{PLACE}/status") == "roost-wills"


@pytest.mark.parametrize(
    ("subject", "topic"),
    [("part.0.users.u", "part/0/users/u"), ("a.b//c", "a/b.c"), ("/.a.b/", "/a/b")],
)
def test_a_subject_of_nats_is_read_as_its_topic(subject: str, topic: str) -> None:
    assert nats_retained.topic_of(subject) == topic
