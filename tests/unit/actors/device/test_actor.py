"""The device actor: a pure step, each rule of CONTRACT §1 by itself."""

from typing import Any

import msgspec
import pytest

from actors.device.actor import DeviceActor
from protocol import codec
from protocol.errors import Reason
from protocol.messages import (
    Configured,
    Notice,
    ReadingsReceived,
    RefusalListed,
)
from protocol.records import Destination, DeviceState
from tests.unit.actors.device.effects import Outcome, step
from tests.unit.makers import NOW, SECOND, loaded, sent, some_feed


def test_a_reading_is_stored_and_shown() -> None:
    outcome = step(DeviceActor(loaded()), sent('{"value": "25.5"}', receipt="r"))
    (reading,) = outcome.unit.readings
    assert (reading.value, reading.ts_us, reading.into) == (25.5, NOW, Destination.LAST_VALUE)
    assert outcome.unit.receipt == "r"
    assert [event.value for event in outcome.values] == [25.5]


@pytest.mark.parametrize(
    ("payload", "tail", "feed", "reason"),
    [
        ("1", "feeds/unknown", {}, Reason.UNKNOWN_FEED),
        ("1", "feeds/t", {"enabled": False}, Reason.FEED_DISABLED),
        ('"warm"', "feeds/t", {}, Reason.BAD_VALUE),
        ("11", "feeds/t", {"max_value": 10.0}, Reason.OUT_OF_RANGE),
        ("-1", "feeds/t", {"min_value": 0.0}, Reason.OUT_OF_RANGE),
        ("{", "feeds/t", {}, Reason.NOT_JSON),
        ("1", "feeds/T%20", {}, Reason.BAD_KEY),
    ],
)
def test_a_refused_reading_is_kept_with_its_reason_and_the_device_gets_a_notice(
    payload: str, tail: str, feed: dict[str, Any], reason: Reason
) -> None:
    outcome = step(DeviceActor(loaded(some_feed(**feed))), sent(payload, tail))
    assert outcome.reasons == [reason]
    assert outcome.unit.rejections[0].payload == payload
    assert [notice["reason"] for notice in outcome.notices] == [reason]
    assert outcome.unit.readings == ()
    assert outcome.values == []


@pytest.mark.parametrize(("key", "kept"), [("a\0b", "a\\0b"), ("a\ud800b", "a?b")])
def test_a_topic_that_cannot_be_stored_is_kept_and_noticed_readable(key: str, kept: str) -> None:
    outcome = step(DeviceActor(loaded()), sent("1", f"feeds/{key}"))
    assert outcome.unit.rejections[0].topic.endswith(f"/feeds/{kept}")
    assert [notice["topic"] for notice in outcome.notices] == [outcome.unit.rejections[0].topic]


def test_one_wrong_reading_does_not_spoil_its_neighbours() -> None:
    actor = DeviceActor(loaded(some_feed("a", 1), some_feed("b", 2, max_value=1.0)))
    outcome = step(actor, sent('{"a": 1, "b": 2, "c": 3}', "feeds"))
    assert [r.value for r in outcome.unit.readings] == [1.0]
    assert outcome.reasons == [Reason.OUT_OF_RANGE, Reason.UNKNOWN_FEED]
    assert [r.payload for r in outcome.unit.rejections] == ['{"b":2}', '{"c":3}']


@pytest.mark.parametrize(
    ("kind", "payload", "value"),
    [
        ("number", " 25.5 ", 25.5),
        ("number", '"25.5 "', 25.5),
        ("bool", "ON", True),
        ("bool", "off", False),
        ("bool", '"true"', True),
        ("bool", '{"value": OFF}', False),
        ("text", "the door is open", "the door is open"),
        ("text", '"NaN"', "NaN"),
    ],
)
def test_feeds_take_the_words_of_devices(kind: Any, payload: str, value: object) -> None:
    outcome = step(DeviceActor(loaded(some_feed(kind=kind))), sent(payload))
    assert [reading.value for reading in outcome.unit.readings] == [value]


@pytest.mark.parametrize(
    ("kind", "payload", "detail"),
    [
        ("number", "NaN", "NaN is not a number that can be stored"),
        ("number", '"-Infinity"', "-Infinity is not a number that can be stored"),
        ("number", "hello", "'hello' is not a number"),
        ("bool", "maybe", "a bool feed accepts true, false, 1, 0, on and off"),
        ("text", "25.5", "a text feed accepts a string"),
        ("text", '{"value": NaN}', "NaN is not a number that can be stored"),
    ],
)
def test_feeds_refuse_other_words_and_say_why(kind: Any, payload: str, detail: str) -> None:
    outcome = step(DeviceActor(loaded(some_feed(kind=kind))), sent(payload))
    assert [(r.reason, r.detail) for r in outcome.unit.rejections] == [(Reason.BAD_VALUE, detail)]


def test_a_value_that_json_does_not_have_is_kept_as_it_was_written() -> None:
    actor = DeviceActor(loaded(some_feed("t", 1), some_feed("h", 2)))
    outcome = step(actor, sent('{"t": NaN, "h": 61, "x": "\\ud800"}', "feeds"))
    assert [r.value for r in outcome.unit.readings] == [61.0]
    assert [(r.reason, r.payload) for r in outcome.unit.rejections] == [
        (Reason.BAD_VALUE, '{"t":NaN}'),
        (Reason.UNKNOWN_FEED, '{"x": "\\ud800"}'),
    ]
    assert outcome.notices[0]["detail"] == "NaN is not a number that can be stored"


def test_a_refusal_that_a_message_holds_is_never_raised_itself() -> None:
    """Nobody would collect the frames of its traceback (`Refusal.kept`)."""
    message = sent('{"Bad Key": 1, "n": null}', "feeds")
    assert isinstance(message, ReadingsReceived)
    assert len(step(DeviceActor(loaded()), message).reasons) == 2
    for raw in message.readings:
        assert raw.refusal is not None
        assert raw.refusal.__traceback__ is None


def test_a_flagging_feed_stores_what_lies_outside_and_both_kinds_raise_one_alarm() -> None:
    actor = DeviceActor(loaded(some_feed(max_value=10.0, on_violation="flag")))
    first = step(actor, sent("11"))
    assert [r.flagged for r in first.unit.readings] == [True]
    assert [(a.state, a.value) for a in first.unit.alarms] == [("active", 11.0)]
    assert step(actor, sent("12", at_us=NOW + 1)).unit.alarms == ()
    cleared = step(actor, sent("9", at_us=NOW + 2))
    assert [a.state for a in cleared.unit.alarms] == ["cleared"]


def test_an_alarm_that_was_open_before_a_restart_stays_one() -> None:
    actor = DeviceActor(loaded(some_feed(max_value=10.0), raised={1: NOW - SECOND}))
    assert step(actor, sent("11")).unit.alarms == ()
    cleared = step(actor, sent("5", at_us=NOW + 1)).unit.alarms
    assert [a.state for a in cleared] == ["cleared"]


def test_a_late_reading_goes_to_the_history_and_replaces_nothing() -> None:
    actor = DeviceActor(loaded(some_feed(max_value=10.0, on_violation="flag")))
    step(actor, sent('{"value": 11, "ts": 1790000000}'))
    late = step(actor, sent('{"value": 5, "ts": 1789999999}'))
    assert late.values == []
    assert late.unit.alarms == ()
    # The store compares by itself: what this actor saw last may have been refused there.
    assert [r.into for r in late.unit.readings] == [Destination.LAST_VALUE]


def test_event_time_goes_on_where_the_store_left_it() -> None:
    actor = DeviceActor(loaded(some_feed(last_us=NOW, last_value=1.0)))
    assert step(actor, sent('{"value": 5, "ts": 1789999999}')).values == []


def test_of_one_instant_the_later_arrival_is_last_but_a_repetition_is_not() -> None:
    actor = DeviceActor(loaded())
    same = '{"value": %d, "ts": 1790000000}'
    assert len(step(actor, sent(same % 1)).values) == 1
    assert len(step(actor, sent(same % 2)).values) == 1
    repeated = step(actor, sent(same % 1))
    assert repeated.values == []


def test_a_redelivery_without_ts_goes_to_the_history_only() -> None:
    actor = DeviceActor(loaded(state=DeviceState(status="offline", last_seen_us=NOW - SECOND)))
    outcome = step(actor, sent("5", again=True))
    assert [r.into for r in outcome.unit.readings] == [Destination.HISTORY]
    assert outcome.values == []
    assert outcome.devices == []
    assert outcome.unit.state is None


def test_a_redelivery_with_ts_is_judged_by_its_ts() -> None:
    outcome = step(DeviceActor(loaded()), sent('{"value": 5, "ts": 1790000000}', again=True))
    assert [r.into for r in outcome.unit.readings] == [Destination.LAST_VALUE]


def test_a_retained_reading_is_one_reading_however_often_it_is_sent() -> None:
    actor = DeviceActor(loaded())
    first = step(actor, sent("5", retained=True))
    again = step(actor, sent("5", retained=True, at_us=NOW + SECOND))
    ids = {r.message_id for r in (*first.unit.readings, *again.unit.readings)}
    assert len(ids) == 1 and None not in ids
    assert [r.into for r in first.unit.readings] == [Destination.EMPTY_HISTORY]
    assert first.unit.is_copy
    timed = step(actor, sent('{"value": 5, "ts": 1790000000}', retained=True))
    assert [r.into for r in timed.unit.readings] == [Destination.LAST_VALUE]
    assert first.values == [] and first.unit.state is None


def test_an_id_is_one_with_what_is_said_under_it() -> None:
    """Counters of devices start anew: the same id with another value or time is another reading."""
    actor = DeviceActor(loaded())

    def identity(payload: str, at_us: int = NOW) -> tuple[object, ...]:
        (reading,) = step(actor, sent(payload, at_us=at_us)).unit.readings
        is_timed = reading.message_id is None
        return reading.message_id, reading.digest, reading.ts_us if is_timed else 0

    first = identity('{"value": 5, "id": "7"}')
    assert identity('{"value": 5, "id": "7"}', NOW + SECOND) == first
    timed = identity('{"value": 5, "id": "7", "ts": 1790000000}')
    assert identity('{"value": 5, "id": "7", "ts": 1790000000}', NOW + SECOND) == timed
    others = {
        first,
        timed,
        identity('{"value": 6, "id": "7"}'),
        identity('{"value": 5, "id": "8"}'),
        identity('{"value": 5, "id": "7", "ts": 1789999999}'),
        identity('{"value": 6, "id": "7", "ts": 1790000000}'),
        identity('{"value": 5, "id": "8", "ts": 1790000000}'),
    }
    assert len(others) == 7


def test_a_feed_of_the_device_goes_before_a_shared_one_of_its_key() -> None:
    own, shared = some_feed("t", 1), some_feed("t", 2, device_id=None)
    for feeds in ((own, shared), (shared, own)):
        outcome = step(DeviceActor(loaded(*feeds)), sent("5"))
        assert [r.feed_num for r in outcome.unit.readings] == [1]


def test_of_many_shared_feeds_an_actor_has_those_that_its_device_wrote() -> None:
    many = [some_feed(f"s{n}", n, device_id=None) for n in range(2, 1_000)]
    actor = DeviceActor(loaded(some_feed("t", 1), *many, raised={7: NOW}))
    assert actor._feeds.nums == {1, 7}
    step(actor, sent("5", "feeds/s3"))
    assert actor._feeds.nums == {1, 7, 3}
    changed = loaded(some_feed("t", 1), *(msgspec.structs.replace(f, enabled=False) for f in many))
    actor.step(Configured(loaded=changed, read=2, done=lambda: None), NOW)
    assert actor._feeds.nums == {1, 7, 3}
    refused = step(actor, sent("6", "feeds/s3")).unit.rejections
    assert [rejection.reason for rejection in refused] == ["feed_disabled"]


@pytest.mark.parametrize(
    ("payload", "tail"),
    [("NaN", "feeds/t"), ('{"t": NaN}', "feeds"), ("{", "feeds/t"), ('{"x": 1}', "status")],
)
def test_a_refused_copy_is_told_when_it_is_listed(payload: str, tail: str) -> None:
    """The broker sends it at each start of Roost, and the device was told each time."""
    actor = DeviceActor(loaded())
    outcome = step(actor, sent(payload, tail, retained=True))
    (listed,) = outcome.unit.rejections
    assert outcome.notices == []
    said = RefusalListed(topic=listed.topic, reason=listed.reason, detail=listed.detail)
    told = actor.step(said, NOW)
    bodies = [codec.decode(each.body) for each in told if isinstance(each, Notice)]
    assert bodies == step(actor, sent(payload, tail)).notices


def test_ten_notices_a_minute_and_no_more() -> None:
    actor = DeviceActor(loaded())
    count = sum(len(step(actor, sent("{", at_us=NOW + n)).notices) for n in range(30))
    assert count == 10
    assert len(step(actor, sent("{", at_us=NOW + 61 * SECOND)).notices) == 1


def test_what_cannot_be_a_commands_id_is_kept_as_refused() -> None:
    message = sent('{"status": "delivered"}', "commands/c1/ack")
    assert step(DeviceActor(loaded()), message).reasons == [Reason.UNKNOWN_COMMAND]


def test_a_message_that_kills_is_set_aside_with_its_receipt() -> None:
    outcome = Outcome(DeviceActor(loaded()).set_aside(sent("5", receipt="r"), "ValueError: x"))
    assert outcome.reasons == [Reason.INTERNAL_ERROR]
    assert outcome.unit.receipt == "r"


def test_a_late_reading_neither_clears_nor_raises_an_alarm_after_a_restart() -> None:
    feed = some_feed(max_value=10.0, on_violation="flag", last_us=NOW, last_value=11.0)
    late = '{"value": %d, "ts": 1789999000}'
    opened = DeviceActor(loaded(feed, raised={1: NOW - SECOND}))
    assert step(opened, sent(late % 5)).unit.alarms == ()
    quiet = DeviceActor(loaded(feed))
    assert step(quiet, sent(late % 50)).unit.alarms == ()
