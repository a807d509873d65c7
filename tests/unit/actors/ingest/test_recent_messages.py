"""The last messages of devices: what is kept, what is cut, what goes first."""

from actors.ingest.recent_messages import (
    BYTES_MAX,
    ENTRY_BYTES,
    LAST_MAX,
    TOPIC_KEPT_MAX,
    RecentMessages,
)
from protocol.device.recent_messages import shown
from protocol.device.topics import parse_topic
from protocol.errors import Reason
from protocol.problems.detail import Detail
from protocol.records import Origin, Rejection
from tests.unit.makers import NOW, USER


def origin(payload: bytes = b"1", code: str = "d1", at_us: int = NOW) -> Origin:
    topic = f"users/{USER}/devices/{code}/feeds/t"
    return Origin(parse_topic(topic), topic, payload, at_us)


def rejection(at_us: int = NOW, detail: str = "no number") -> Rejection:
    topic = f"users/{USER}/devices/d1/feeds/t"
    return Rejection(USER, "", at_us, topic, "x", "utf-8", Reason.BAD_VALUE, detail)


def test_the_last_fifty_are_kept_newest_first() -> None:
    recent_messages = RecentMessages()
    for n in range(LAST_MAX + 5):
        recent_messages.seen(origin(b"%d" % n), 1, 1)
    found = recent_messages.of((USER, "d1"))
    assert len(found) == LAST_MAX
    assert (found[0].payload, found[-1].payload) == (b"54", b"5")
    assert recent_messages.of((USER, "d2")) == []


def test_a_large_payload_is_cut_and_its_size_known() -> None:
    recent_messages = RecentMessages()
    recent_messages.seen(origin(b"x" * 4_000), 70_000, 0)
    (seen,) = recent_messages.of((USER, "d1"))
    assert (len(seen.payload), seen.size, seen.qos) == (1_024, 70_000, 0)


def test_what_was_refused_says_why_the_first_reason_counts() -> None:
    recent_messages = RecentMessages()
    recent_messages.seen(origin(at_us=NOW), 1, 1)
    recent_messages.seen(origin(at_us=NOW + 1), 1, 1)
    recent_messages.refused((USER, "d1"), [rejection(NOW + 1), rejection(NOW + 1, "another")])
    recent_messages.refused((USER, "d9"), [rejection()])
    newest, oldest = recent_messages.of((USER, "d1"))
    assert (newest.reason, newest.detail, oldest.reason) == ("bad_value", "no number", "")


def test_of_too_much_the_quietest_devices_go_first() -> None:
    topic = len(origin().raw_topic) - 1  # the codes here have one character
    recent_messages = RecentMessages(bytes_max=3 * (ENTRY_BYTES + 10 + topic))
    for code in ("a", "b", "c"):
        recent_messages.seen(origin(b"x" * 10, code), 10, 1)
    recent_messages.seen(origin(b"x" * 10, "a"), 10, 1)
    assert [len(recent_messages.of((USER, code))) for code in ("a", "b", "c")] == [2, 0, 1]
    assert BYTES_MAX < 1 << 30


def test_long_topics_that_the_broker_denied_count_and_are_cut() -> None:
    recent_messages = RecentMessages(bytes_max=3 * (ENTRY_BYTES + TOPIC_KEPT_MAX))
    for n in range(9):
        recent_messages.not_taken(
            (USER, f"d{n}"), NOW, "t" * 60_000, "denied", Detail("broker_denied")
        )
    found = [recent_messages.of((USER, f"d{n}")) for n in range(9)]
    assert [len(each) for each in found] == [0] * 6 + [1] * 3
    assert len(found[-1][0].topic) == TOPIC_KEPT_MAX


def test_payloads_are_shown_as_text_where_they_are_text() -> None:
    assert shown(b"25.5", is_cut=False) == ("25.5", "utf-8")
    assert shown("é".encode()[:1], is_cut=True) == ("", "utf-8")
    assert shown(b"\xff\x00", is_cut=False) == ("/wA=", "base64")
    assert shown(b"\xff" * 100, is_cut=True)[1] == "base64"
