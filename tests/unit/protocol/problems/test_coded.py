"""What dashboards get of a record has the code of its text; an old record has its English text."""

from typing import Any

from protocol import codec
from protocol.device.alarms import alarm_view
from protocol.device.commands import CANCELLED, Command, ended
from protocol.events import AlarmChanged, CommandChanged, OccurrenceChanged
from protocol.problems.detail import Detail
from protocol.schedule.schedules import Occurrence, followed, missed
from tests.unit.makers import DEVICE, NOW, USER, some_alarm

COMMAND = Command(
    id="c",
    user_id=USER,
    device_id=DEVICE,
    device_num=1,
    device_code="d1",
    type="reboot",
    payload="{}",
    created_us=NOW,
    expires_us=NOW,
    next_try_us=NOW,
)
PLAY = Occurrence(id="o", schedule_id="s", user_id=USER, device_id=DEVICE, due_us=NOW)


def frame(event: Any) -> dict[str, Any]:
    found: dict[str, Any] = codec.decode(event.encoded + b"}")
    return found


def test_frames_of_the_socket_have_the_code() -> None:
    above = Detail("value_above", value=60.0, limit=50)
    alarm = some_alarm(detail=str(above), coded=above.coded)
    told = frame(AlarmChanged(alarm))["alarm"]
    assert (told["detail"], told["code"]) == ("60 is above the maximum 50", "value_above")
    assert told["params"] == {"value": 60.0, "limit": 50}
    cancelled = ended(COMMAND, CANCELLED, NOW, Detail("command_cancelled"))
    assert frame(CommandChanged(cancelled))["command"]["code"] == "command_cancelled"
    late = missed(PLAY, Detail("play_late", late=9, most=5))
    body = codec.encode(OccurrenceChanged(late).body())
    assert b'"code":"play_late","params":{"late":9,"most":5}' in body
    assert followed(PLAY, cancelled).coded == cancelled.coded


def test_what_was_stored_before_has_its_english_text_alone() -> None:
    view = alarm_view(some_alarm(detail="high"))
    assert (view.detail, view.code, view.params) == ("high", None, {})
