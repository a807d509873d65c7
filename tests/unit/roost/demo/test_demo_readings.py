"""What the demo's devices measure: a month that can be believed, always the same one."""

import json
from itertools import pairwise
from typing import Any

import pytest

from actors.device.actor import DeviceActor
from actors.ingest.decoding import decode
from protocol.device.alarms import CLEARED
from protocol.device.topics import parse_topic
from protocol.messages import ReadingsReceived
from protocol.records import LoadedDevice, Origin, WriteUnit
from protocol.times import SECOND_US
from roost.demo.business import EPISODES, PLACES, Place
from roost.demo.readings import HISTORY_US, STEP_US, Readings
from tests.unit.makers import NOW, USER, some_device, some_feed

BEGAN = NOW - NOW % STEP_US
BY_CODE = {place.code: place for place in PLACES}
ALARMING = [place for place in PLACES if any(sensor.has_alarm for sensor in place.sensors)]


def history_of(place: Place, since_us: int = BEGAN - HISTORY_US) -> list[list[dict[str, Any]]]:
    return list(Readings(place, BEGAN).history(place.sensors, since_us, BEGAN))


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.code)
def test_a_month_has_a_reading_every_ten_minutes_with_gaps(place: Place) -> None:
    times = [entry["ts"] for message in history_of(place) for entry in message]
    assert times == sorted(set(times))
    assert BEGAN - HISTORY_US <= times[0] < BEGAN - HISTORY_US + 10 * STEP_US
    assert 0.9 * 30 * 144 < len(times) < 30 * 144
    assert {(b - a) % STEP_US for a, b in pairwise(times)} == {0}


def test_the_same_beginning_gives_the_same_month_and_another_device_another_one() -> None:
    room, terrace = BY_CODE["bach-dang-room"], BY_CODE["my-khe-room"]
    assert history_of(room) == history_of(room)
    assert history_of(room)[0] != history_of(terrace)[0]


def test_a_history_that_was_cut_goes_on_where_it_was() -> None:
    place = BY_CODE["van"]
    whole = [entry for message in history_of(place) for entry in message]
    later = [e for m in history_of(place, whole[700]["ts"]) for e in m]
    assert later == whole[700:]


@pytest.mark.parametrize("place", ALARMING, ids=lambda place: place.code)
def test_every_message_of_the_history_is_taken_whole(place: Place) -> None:
    topic = parse_topic(f"users/{USER}/devices/{place.code}/feeds")
    for message in history_of(place):
        decoded = decode(topic, json.dumps(message).encode(), BEGAN, retained=False)
        assert decoded.readings == len(message) * len(place.sensors)
        assert decoded.has_identity  # sent again, it is stored once


@pytest.mark.parametrize("place", ALARMING, ids=lambda place: place.code)
def test_its_episodes_and_nothing_else_raise_alarms(place: Place) -> None:
    sensor = next(each for each in place.sensors if each.has_alarm)
    rises = [e for e in EPISODES if (e.code, e.key) == (place.code, sensor.key)]
    feed = some_feed(
        sensor.key,
        min_value=sensor.min_value,
        max_value=sensor.max_value,
        on_violation="flag",
        alarm=sensor.alarm,
    )
    actor = DeviceActor(LoadedDevice(device=some_device(), feeds=(feed,)))
    topic = parse_topic(f"users/{USER}/devices/{place.code}/feeds")
    alarms = {}
    for message in Readings(place, BEGAN).history([sensor], BEGAN - HISTORY_US, BEGAN):
        payload = json.dumps(message).encode()
        decoded = decode(topic, payload, BEGAN, retained=False)
        came = decoded.message(Origin(topic, str(topic), payload, BEGAN))
        assert isinstance(came, ReadingsReceived)
        for effect in actor.step(came, BEGAN):
            if isinstance(effect, WriteUnit):
                assert not effect.rejections
                alarms.update({alarm.id: alarm for alarm in effect.alarms})
    raised = [alarm for alarm in alarms.values() if alarm.raised_us is not None]
    assert len(raised) == len(rises)
    for alarm, rise in zip(raised, rises, strict=True):
        assert alarm.raised_us is not None
        assert 0 <= (BEGAN - alarm.raised_us) / SECOND_US <= rise.since_s
        assert (alarm.state == CLEARED) == (rise.until_s >= 0)


def test_a_live_value_continues_the_history() -> None:
    place = BY_CODE["bach-dang-fridge"]
    (fridge,) = place.sensors
    readings = Readings(place, BEGAN)
    values = [readings.at(fridge, BEGAN + second * SECOND_US) for second in range(0, 600, 2)]
    assert max(values) - min(values) < 2
    assert readings.at(fridge, BEGAN) == pytest.approx(values[0])
