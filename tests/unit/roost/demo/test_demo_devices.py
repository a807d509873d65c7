"""What the demo's devices send, and in which order."""

from typing import Any

from actors.adapters.memory.clocks import ManualClock
from actors.adapters.mqtt.client import Address
from protocol.times import SECOND_US
from roost.demo.business import PLACES
from roost.demo.devices import PORTION, DemoDevice
from roost.demo.readings import HISTORY_US, STEP_US
from roost.provisioning import NewLogin
from tests.unit.makers import NOW, USER

BY_CODE = {place.code: place for place in PLACES}
DAY_US = 24 * 3_600 * SECOND_US


def sent_by(code: str, reports: int = 1) -> list[tuple[str, Any]]:
    clock = ManualClock()
    began_us = clock.now_us() - clock.now_us() % STEP_US
    device = DemoDevice(
        BY_CODE[code],
        clock,
        Address("127.0.0.1", 1883),
        USER,
        NewLogin("id", "client", "secret"),
        began_us,
        began_us - HISTORY_US,
        began_us,
    )
    return [message for _ in range(reports) for message in device.talk()]


async def test_what_may_raise_an_alarm_is_older_than_the_first_live_reading() -> None:
    sent = [body for topic, body in sent_by("roastery-beans") if topic == "feeds"]
    live = next(n for n, body in enumerate(sent) if isinstance(body, dict))
    before = [entry for body in sent[:live] for entry in body]
    assert {key for entry in before for key in entry["values"]} == {"humidity"}
    times = [entry["ts"] for entry in before]
    assert times == sorted(times)
    assert times[-1] - times[0] > 29 * DAY_US
    behind = [entry for body in sent[live + 1 :] for entry in body]
    assert {key for entry in behind for key in entry["values"]} == {"temperature"}


async def test_live_readings_do_not_wait_for_the_history_and_the_last_day_comes_first() -> None:
    first, *rest = (body for topic, body in sent_by("van") if topic == "feeds")
    assert set(first) == {"battery", "cold_box"}
    assert len(rest) == PORTION
    newest = max(entry["ts"] for entry in rest[0])
    assert newest - min(entry["ts"] for entry in rest[0]) < DAY_US
    assert 0 < NOW - newest < DAY_US


async def test_a_month_is_told_within_a_minute() -> None:
    reports = 6  # ten seconds each
    for code in ("van", "bach-dang-room", "roastery-beans"):
        sent = sent_by(code, reports)
        assert isinstance(sent[-1][1], dict), code


async def test_a_device_without_a_line_says_that_it_is_there_and_measures_nothing() -> None:
    sent = sent_by("son-tra-room")
    assert sent[0][1]["status"] == "online"
    assert not [body for topic, body in sent if topic == "feeds" and isinstance(body, dict)]
