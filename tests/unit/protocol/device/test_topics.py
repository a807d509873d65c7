"""The topic grammar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.device.topics import (
    Kind,
    Topic,
    parse_topic,
    partition,
    prefix,
    too_long,
    wrong_topic,
)
from protocol.errors import Reason, Refusal

U = "06b72fa5-f615-4659-a9f9-4d313aba495d"


@pytest.mark.parametrize(
    ("topic", "parsed"),
    [
        (f"users/{U}/devices/d-1/feeds/temp", Topic((U, "d-1"), Kind.READING, "temp")),
        (f"users/{U}/devices/d_1/feeds", Topic((U, "d_1"), Kind.READINGS)),
        (f"users/{U}/devices/D/status", Topic((U, "D"), Kind.STATUS, is_urgent=True)),
        (f"users/{U}/devices/D/commands/c-1/ack", Topic((U, "D"), Kind.ACK, "c-1", is_urgent=True)),
        (f"part/3/users/{U}/devices/D/feeds/t", Topic((U, "D"), Kind.READING, "t")),
        (f"state/12/users/{U}/devices/D/status", Topic((U, "D"), Kind.STATUS, is_urgent=True)),
        # An invalid feed key still belongs to a device, which is told of the refusal.
        (f"users/{U}/devices/D/feeds/Temp C", Topic((U, "D"), Kind.READING, "Temp C")),
        # And so does any other topic below its prefix.
        (f"users/{U}/devices/D", Topic((U, "D"), Kind.OTHER)),
        (f"users/{U}/devices/D/", Topic((U, "D"), Kind.OTHER)),
        (f"users/{U}/devices/D/feeds/a/b", Topic((U, "D"), Kind.OTHER, "feeds/a/b")),
        (f"users/{U}/devices/D/status\n", Topic((U, "D"), Kind.OTHER, "status\n")),
        (f"part/1/users/{U}/devices/D/a", Topic((U, "D"), Kind.OTHER, "a")),
        (f"users/{U}/devices/D/commands", Topic((U, "D"), Kind.OURS, "commands")),
        (f"users/{U}/devices/D/errors", Topic((U, "D"), Kind.OURS, "errors")),
    ],
)
def test_what_devices_publish_to(topic: str, parsed: Topic) -> None:
    assert parse_topic(topic) == parsed


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "users",
        f"users/{U}/devices//status",
        "users/roost/devices/D/other",
        f"users/{U}/devices/D2.x/commands",
        f"users/{U}/devices/{'x' * 65}/status",
        f"part/x/users/{U}/devices/D/status",
        f"/users/{U}/devices/D/status",
        f"users/{U}/devices/é/status",
    ],
)
def test_other_topics_belong_to_nobody(topic: str) -> None:
    with pytest.raises(Refusal):
        parse_topic(topic)


@pytest.mark.parametrize(
    ("tail", "meant"),
    [
        ("feeds/temperature/", "feeds/temperature"),
        ("feeds//n", "feeds/n"),
        ("/status", "status"),
        ("Status", "status"),
        ("FEEDS/Room", "feeds/room"),
        ("telemetry", "feeds/KEY, feeds, status or commands/ID/ack"),
        ("feeds/kitchen/temperature", "feeds/KEY, feeds, status or commands/ID/ack"),
        ("", "feeds/KEY, feeds, status or commands/ID/ack"),
    ],
)
def test_a_wrong_topic_is_refused_with_the_one_that_may_be_meant(tail: str, meant: str) -> None:
    refusal = wrong_topic(parse_topic(f"users/{U}/devices/D/{tail}"))
    assert refusal.reason == Reason.BAD_TOPIC
    assert refusal.detail == f"no topic of a device: {tail!r}; use {meant}"


@given(st.text(max_size=80))
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        parse_topic(text)
    except Refusal:
        return


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_a_device_finds_itself_in_its_own_topics(code: str) -> None:
    if code.isascii():
        assert parse_topic(prefix(U, code) + "/status").device == (U, code)


def test_a_topic_that_is_too_long_is_wrong_whatever_its_beginning_is() -> None:
    """Cut, `feeds/aaa…/x` looks like the topic of a reading."""
    topic = f"users/{U}/devices/D/feeds/" + "a" * 900
    assert too_long(topic[:512]).kind is Kind.OTHER
    assert too_long(topic[:512]).device == (U, "D")


def test_partitions_are_fnv_1a_as_nats_computes_them() -> None:
    # FNV-1a 32 of "foobar" is 0xbf9cf968 (the reference vectors of its authors).
    assert partition("foo", "bar", 2**32) == 0xBF9CF968
    assert {partition("ua", f"d{n}", 4) for n in range(40)} == {0, 1, 2, 3}
