"""The topic grammar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.device.topics import Kind, Topic, parse_topic, partition, prefix
from protocol.errors import Refusal

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
    ],
)
def test_what_devices_publish_to(topic: str, parsed: Topic) -> None:
    assert parse_topic(topic) == parsed


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "users",
        f"users/{U}/devices/D",
        f"users/{U}/devices/D/feeds/a/b",
        f"users/{U}/devices//status",
        f"users/{U}/devices/D/commands",
        f"users/{U}/devices/{'x' * 65}/status",
        f"part/x/users/{U}/devices/D/status",
        f"users/{U}/devices/D/status\n",
        f"/users/{U}/devices/D/status",
        f"users/{U}/devices/é/status",
    ],
)
def test_other_topics_belong_to_nobody(topic: str) -> None:
    with pytest.raises(Refusal):
        parse_topic(topic)


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


def test_partitions_are_fnv_1a_as_nats_computes_them() -> None:
    # FNV-1a 32 of "foobar" is 0xbf9cf968 (the reference vectors of its authors).
    assert partition("foo", "bar", 2**32) == 0xBF9CF968
    assert {partition("ua", f"d{n}", 4) for n in range(40)} == {0, 1, 2, 3}
