"""Rules as calendars write them, on the running service."""

from tests.real.harness import Person, Roost

ZERO = "00000000-0000-4000-8000-000000000000"


def plan(rule: str) -> dict[str, str]:
    start, zone = "2099-10-24T23:30:00Z", "Europe/Berlin"  # the clocks change at 01:00Z
    return {
        "media_id": ZERO,
        "device_id": ZERO,
        "trigger_time": start,
        "timezone": zone,
        "recurrence": rule,
    }


def test_every_half_hour_stays_every_half_hour_when_the_clocks_change(
    roost: Roost, ada: Person
) -> None:
    rule = "RRULE:FREQ=MINUTELY;INTERVAL=30;COUNT=5;\r\n"
    times = ada.post("/schedule-previews", plan(rule))["due_at"]
    assert [each[8:16] for each in times] == [
        "24T23:30",
        "25T00:00",
        "25T00:30",
        "25T01:00",
        "25T01:30",
    ]


def test_lines_beside_a_rule_are_told_where_they_belong(roost: Roost, ada: Person) -> None:
    rule = "DTSTART:20991024T233000Z\nRRULE:FREQ=DAILY"
    answer = ada.call("POST", "/schedule-previews", json=plan(rule))
    assert answer.status_code == 422
    told = answer.json()["errors"]["recurrence"]
    assert told == ("takes no DTSTART: the start and its time zone are given apart from the rule")
