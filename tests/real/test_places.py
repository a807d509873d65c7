"""Charts of a place, on the running service: its days have 23, 24 or 25 hours."""

import pytest

from protocol.times import SECOND_US, format_us, parse_rfc3339
from tests.real.harness import Person, Roost


@pytest.mark.parametrize(
    ("zone", "first", "hours"),
    [
        ("Europe/Berlin", "2025-10-24T22:00:00Z", [24, 25, 24]),
        ("Europe/Berlin", "2026-03-27T23:00:00Z", [24, 23, 24]),
        ("Asia/Kolkata", "2026-03-27T18:30:00Z", [24, 24, 24]),
    ],
)
def test_a_chart_of_days_has_the_days_of_its_place(
    roost: Roost, ada: Person, zone: str, first: str, hours: list[int]
) -> None:
    code = f"{zone[-6:]}-{first[:7]}".replace("/", "-")
    feed = ada.device(code, "t")["feeds"]["t"]
    start_us = parse_rfc3339(first)
    rows = (
        f"{format_us(start_us + (60 * n + 30) * 60 * SECOND_US)},{n}" for n in range(sum(hours))
    )
    content = "\n".join(["ts,value", *rows]).encode()
    headers = {"content-type": "text/csv"}
    answer = ada.call("POST", f"/feed-values/{feed}/import", content=content, headers=headers)
    assert answer.json()["stored"] == sum(hours)
    asked = {"bucket": "1d", "agg": "count", "tz": zone}
    points = ada.get(f"/feed-values/{feed}", **asked)["items"]
    assert [point["count"] for point in reversed(points)] == hours
    assert points[-1]["ts"] == format_us(start_us)
    csv = ada.call("GET", f"/feed-values/{feed}", params=asked, headers={"accept": "text/csv"})
    assert csv.text.splitlines()[1:] == [f"{point['ts']},{point['count']}" for point in points]


def test_what_a_call_does_not_know_is_refused(roost: Roost, ada: Person) -> None:
    answer = ada.call("GET", "/dashboard/stats", params={"time_zone": "Europe/Berlin"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == {"time_zone": "is not a known parameter"}
