"""What a status, or any message, makes of a device's state (CONTRACT §1)."""

import pytest

from actors.device.actor import DeviceActor
from tests.unit.actors.device.effects import step
from tests.unit.makers import NOW, SECOND, loaded, sent


def test_any_message_shows_that_the_device_lives() -> None:
    actor = DeviceActor(loaded())
    outcome = step(actor, sent("5"))
    assert outcome.unit.state is not None
    assert (outcome.unit.state.state.status, outcome.unit.state.state.last_seen_us) == (
        "online",
        NOW,
    )
    # A second later that is no news; eleven seconds later it is.
    assert step(actor, sent("5", at_us=NOW + SECOND)).unit.state is None
    assert step(actor, sent("5", at_us=NOW + 11 * SECOND)).unit.state is not None


def test_a_status_sets_what_it_says_and_the_version_grows() -> None:
    actor = DeviceActor(loaded())
    outcome = step(actor, sent('{"status": "sleeping", "latitude": 21, "session": 3}', "status"))
    state = outcome.devices[-1].state
    assert (state.status, state.latitude, state.session, state.version) == ("sleeping", 21, 3, 1)
    outcome = step(actor, sent('{"temperature": 4}', "status", at_us=NOW + 1))
    assert outcome.devices[-1].state.version == 2
    assert outcome.devices[-1].state.latitude == 21


def test_a_field_that_is_refused_is_listed_and_the_others_count() -> None:
    actor = DeviceActor(loaded())
    payload = '{"status": "Online", "temperature": NaN, "humidity": "61", "rssi": -70}'
    outcome = step(actor, sent(payload, "status"))
    state = outcome.devices[-1].state
    assert (state.status, state.temperature, state.humidity) == ("online", None, 61)
    assert [(r.reason, r.payload, r.readings) for r in outcome.unit.rejections] == [
        ("bad_value", '{"temperature":NaN}', 0),
        ("wrong_shape", '{"rssi":-70}', 0),
    ]
    assert [notice["reason"] for notice in outcome.notices] == ["bad_value", "wrong_shape"]


def test_a_bare_word_makes_a_device_offline() -> None:
    actor = DeviceActor(loaded())
    step(actor, sent("Online", "status"))
    assert actor.device.state.status == "online"
    step(actor, sent("OFFLINE", "status", at_us=NOW + 1))
    assert actor.device.state.status == "offline"


def test_a_status_with_a_wrong_clock_counts_from_its_arrival() -> None:
    actor = DeviceActor(loaded())
    outcome = step(actor, sent('{"temperature": 4, "ts": 0}', "status"))
    assert actor.device.state.temperature == 4
    assert [r.reason for r in outcome.unit.rejections] == ["bad_time"]
    again = sent('{"temperature": 5, "ts": 0}', "status", at_us=NOW + 1, again=True)
    assert len(step(actor, again).unit.rejections) == 1  # its time is unknown: it sets nothing
    assert actor.device.state.temperature == 4


def test_a_late_status_sets_nothing() -> None:
    actor = DeviceActor(loaded())
    step(actor, sent('{"temperature": 4, "ts": 1790000000}', "status"))
    step(actor, sent('{"temperature": 3, "ts": 1789999990}', "status"))
    assert actor.device.state.temperature == 4


def test_a_will_of_an_earlier_boot_does_not_turn_the_device_off() -> None:
    actor = DeviceActor(loaded())
    step(actor, sent('{"status": "online", "session": 5}', "status"))
    step(actor, sent('{"status": "offline", "session": 4}', "status", at_us=NOW + 1))
    assert actor.device.state.status == "online"
    step(actor, sent('{"status": "offline", "session": 5}', "status", at_us=NOW + 2))
    assert actor.device.state.status == "offline"


@pytest.mark.parametrize("ts", [1789999000, 0, -1, 99999999999, '"yesterday"'])
def test_an_offline_counts_from_its_arrival_whatever_its_ts(ts: object) -> None:
    """Devices set their will when they connect, with the time of then, or with none."""
    actor = DeviceActor(loaded())
    step(actor, sent('{"status": "online", "temperature": 4, "ts": 1790000000}', "status"))
    will = '{"status": "offline", "temperature": 3, "ts": %s}'
    outcome = step(actor, sent(will % ts, "status", at_us=NOW + SECOND))
    assert outcome.unit.rejections == ()
    assert actor.device.state.status == "offline"
    if ts == 1789999000:
        assert actor.device.state.temperature == 4  # that was measured later
    step(actor, sent("5", at_us=NOW + SECOND - 1))  # it arrived before the will
    assert actor.device.state.status == "offline"
    step(actor, sent("5", at_us=NOW + 2 * SECOND))
    assert actor.device.state.status == "online"


def test_a_will_turns_a_device_off_whose_clock_is_ahead() -> None:
    actor = DeviceActor(loaded())
    step(actor, sent('{"status": "online", "ts": 1790000200}', "status"))
    step(actor, sent('{"status": "offline"}', "status", at_us=NOW + SECOND))
    assert actor.device.state.status == "offline"
    step(actor, sent("5", at_us=NOW + 2 * SECOND))
    assert actor.device.state.status == "online"


def test_after_a_will_a_device_with_a_slow_clock_still_sets_its_fields() -> None:
    actor = DeviceActor(loaded())
    slow = '{"status": "online", "session": %d, "temperature": %d, "ts": %d}'
    step(actor, sent(slow % (1, 4, 1789990000), "status"))
    will = '{"status": "offline", "session": 1, "ts": 1789980000}'
    step(actor, sent(will, "status", at_us=NOW + SECOND))
    step(actor, sent(slow % (2, 5, 1789990009), "status", at_us=NOW + 9 * SECOND))
    state = actor.device.state
    assert (state.status, state.session, state.temperature) == ("online", 2, 5)
    step(actor, sent(will, "status", at_us=NOW + 10 * SECOND))  # of the boot before
    assert actor.device.state.status == "online"


@pytest.mark.parametrize("will", ["offline", '{"status": "Offline"}', '{"status": "offline"}'])
def test_a_will_without_ts_keeps_no_field_of_a_slow_clock_back(will: str) -> None:
    """It counts from its arrival, by our clock: for an hour the device set nothing."""
    actor = DeviceActor(loaded())
    slow = '{"status": "online", "temperature": %d, "ts": %d}'
    step(actor, sent(slow % (4, 1789990000), "status"))
    step(actor, sent(will, "status", at_us=NOW + SECOND))
    assert actor.device.state.status == "offline"
    step(actor, sent(slow % (5, 1789990009), "status", at_us=NOW + 9 * SECOND))
    assert (actor.device.state.status, actor.device.state.temperature) == ("online", 5)
    step(actor, sent(slow % (3, 1789990008), "status", at_us=NOW + 10 * SECOND))
    assert actor.device.state.temperature == 5  # late


def test_an_offline_without_a_session_counts() -> None:
    actor = DeviceActor(loaded())
    step(actor, sent('{"status": "online", "session": 5}', "status"))
    step(actor, sent('{"status": "offline"}', "status", at_us=NOW + 1))
    assert actor.device.state.status == "offline"
    assert actor.device.state.last_seen_us == NOW


def test_a_reading_that_arrived_before_the_will_revives_nobody() -> None:
    actor = DeviceActor(loaded())
    step(actor, sent('{"status": "online"}', "status"))
    step(actor, sent('{"status": "offline"}', "status", at_us=NOW + 2))
    step(actor, sent("5", at_us=NOW + 1))  # status goes first in the mailbox
    assert actor.device.state.status == "offline"
    step(actor, sent("5", at_us=NOW + 3))
    assert actor.device.state.status == "online"


def test_a_retained_status_sets_fields_and_never_presence() -> None:
    actor = DeviceActor(loaded())
    step(actor, sent('{"status": "online", "temperature": 4}', "status", retained=True))
    state = actor.device.state
    assert (state.status, state.last_seen_us, state.temperature) == ("offline", None, 4)
    step(actor, sent('{"temperature": 9}', "status", retained=True, at_us=NOW + 1))
    assert actor.device.state.temperature == 4  # of unknown age: it replaces nothing


def test_of_two_states_of_one_instant_the_one_that_comes_again_was_the_earlier() -> None:
    """A report whose acknowledgement was lost came after the next, and overwrote it (seed 1679)."""
    actor = DeviceActor(loaded())
    step(actor, sent('{"ts": 1790000000, "temperature": 5}', "status"))
    again = sent('{"ts": 1790000000, "temperature": 4}', "status", again=True)
    assert step(actor, again).unit.state is None
    assert actor.device.state.temperature == 5


def test_a_redelivered_status_without_ts_revives_nobody() -> None:
    actor = DeviceActor(loaded())
    outcome = step(actor, sent('{"status": "online"}', "status", again=True))
    assert actor.device.state.status == "offline"
    assert outcome.unit.state is None
