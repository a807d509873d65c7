"""The broker's log: which of its lines are about devices, and how it is read while it grows."""

from pathlib import Path

import pytest
import trio

from roost.embedded import broker_log
from roost.embedded.broker_log import CHECKED_MAX, LogTail, checked
from roost.embedded.broker_words import refused_of

DEVICE = "device-cfbfd17b-9b06-4e0d-a9b1-12a5c5866f76"
PLACE = "users.b19e1a95-58be-4187-ae0a-754c33d4d89f.devices.shed"
HEAD = f'[15507] 2026/11/30 12:00:30.834241 [ERR] 127.0.0.1:52271 - mid:85 - "{DEVICE}" - '


@pytest.mark.parametrize(
    ("rest", "topic", "is_end"),
    [
        (
            f'Publish Violation - Subject "/.{PLACE}.feeds.t"',
            f"/{PLACE}/feeds/t".replace(".", "/"),
            False,
        ),
        (
            f'Publish Violation - Subject "part.2.{PLACE}.feeds.t"',
            f"{PLACE}/feeds/t".replace(".", "/"),
            False,
        ),
        ('Subscription Violation - Subject "else.>", SID x', "else/#", False),
        ('Subscription Violation - Subject ">", SID x', "#", False),
        ('Subscription Violation - Subject "users.*.*.a*.>", SID x', "users/+/+/a*/#", False),
        ('Publish Violation - Subject "else.*"', "else/*", False),
        ("character not supported for MQTT topics", "", True),
        ('wildcards not allowed in publish\'s topic: "a/b+c"', "a/b+c", True),
        ("maximum payload exceeded: 9000074 vs 8388608", "", True),
        ("QoS=3 is invalid in MQTT", "", True),
        ("with QoS=1, packet identifier cannot be 0", "", True),
        ("topic cannot be empty", "", True),
        ('invalid utf8 for topic "a\\xff"', "", True),
        ('invalid null character in topic "a\\x00"', "", True),
        ("subscribe protocol must contain at least 1 topic filter", "", True),
        ("received a second CONNECT packet", "", True),
        ("invalid fixed header flags 0 for packet type 80", "", True),
        ("error reading topic: unexpected EOF", "", True),
        ('invalid topic "a/b c": character not supported for MQTT topics', "a/b c", False),
    ],
)
def test_a_line_about_a_message_that_was_not_taken(rest: str, topic: str, is_end: bool) -> None:
    found = refused_of(HEAD + rest)
    assert found is not None
    assert (found.client_id, found.topic, found.is_end) == (DEVICE, topic, is_end)
    assert found.why.code.startswith("ended_") is is_end
    assert found.connection == (85 if is_end else 0)


async def test_the_end_of_a_connection_that_had_not_logged_in_says_nothing_about_a_device() -> None:
    """Anybody can use its client id until then, and raised an alarm."""
    lines = [HEAD.replace("85", str(n)) + "topic cannot be empty" for n in range(85, 90)]
    refused = [each for line in lines if (each := refused_of(line)) is not None]

    async def is_even(connection: int) -> bool:
        await trio.lowlevel.checkpoint()
        return connection % 2 == 0

    found = await checked(refused, is_even)
    assert [each.is_end for each in found] == [False, True, False, True, False]
    assert str(found[0].why).startswith("before it logged in, ")
    many = await checked(refused[1:2] * (CHECKED_MAX + 1), is_even)
    assert [each.is_end for each in many] == [True] * CHECKED_MAX + [False]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[1] 2026/11/30 12:00:26.267821 [INF] Server is ready",
        HEAD + "authentication error",
        HEAD + 'Subscription Violation - Subject "", SID ',
        HEAD + "unable to connect: authentication error",
        HEAD.replace(DEVICE, "listener-x") + "character not supported for MQTT topics",
        HEAD.replace(DEVICE, f"x - {DEVICE}") + "character not supported for MQTT topics",
        "x" + HEAD + "character not supported for MQTT topics",
    ],
)
def test_every_other_line_says_nothing(line: str) -> None:
    assert refused_of(line) is None


def test_a_log_is_read_as_it_grows_and_from_its_beginning_when_it_was_cut(tmp_path: Path) -> None:
    file = tmp_path / "log"
    tail = LogTail(file)
    assert tail.read() == []
    file.write_text("before\n")
    tail = LogTail(file)
    with file.open("a") as log:
        log.write("one\ntwo\nthr")
        log.flush()
        assert tail.read() == ["one", "two"]
        assert tail.read() == []
        log.write("ee\n")
    assert tail.read() == ["three"]
    file.write_text("new\n")
    assert tail.read() == ["new"]


def test_of_a_burst_the_newest_lines_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_log, "BYTES_MAX", 40)
    file = tmp_path / "log"
    tail = LogTail(file)
    file.write_text("".join(f"line {n}\n" for n in range(100)))
    assert tail.read()[-2:] == ["line 98", "line 99"]
    file.write_text("x" * 2_000)  # without an end
    assert tail.read() == []
    with file.open("a") as log:
        log.write("\nlast\n")
    assert tail.read()[-1] == "last"
