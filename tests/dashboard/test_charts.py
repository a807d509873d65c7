"""A chart shows what was measured, and nothing else."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.dashboard.screen import Screens, go, is_live, sees, user_menu
from tests.dashboard.test_live import BRAND
from tests.real.harness import DeviceClient, Person, Roost, eventually

# Whether something of that colour is drawn between two parts (0 to 1) of the chart's width.
IS_DRAWN = """
([from, to, r, g, b]) => {
  const canvas = document.querySelector(".uplot canvas");
  const plot = document.querySelector(".u-over").getBoundingClientRect();
  const box = canvas.getBoundingClientRect();
  const ratio = canvas.width / box.width;
  const left = Math.round((plot.left - box.left + plot.width * from) * ratio);
  const width = Math.round(plot.width * (to - from) * ratio);
  const { data } = canvas.getContext("2d").getImageData(left, 0, width, canvas.height);
  for (let n = 0; n < data.length; n += 4)
    if (data[n] === r && data[n + 1] === g && data[n + 2] === b) return true;
  return false;
}
"""


def measured(person: Person, feed: str, *ago_s: float, value: float = 20) -> None:
    """Readings so many seconds ago."""
    now = datetime.now(UTC)
    rows = [f"{(now - timedelta(seconds=ago)).isoformat()},{value}" for ago in ago_s]
    content = "\n".join(["ts,value", *rows])
    headers = {"content-type": "text/csv"}
    answer = person.call("POST", f"/feed-values/{feed}/import", content=content, headers=headers)
    assert answer.json()["stored"] == len(ago_s), answer.text


@pytest.fixture
def feed(ada: Person, request: pytest.FixtureRequest) -> str:
    name = request.node.name.replace("_", "-")[-40:]
    limits: dict[str, Any] = {"min_value": 0, "max_value": 30, "unit": "°C"}
    return str(ada.device(f"d{name}", "t", **limits)["feeds"]["t"])


def shown(page: Page, name: str) -> float:
    return float(page.locator(".chart").get_attribute(f"data-{name}") or "nan")


def test_no_line_is_drawn_over_a_gap(screens: Screens, ada: Person, feed: str) -> None:
    measured(ada, feed, *(ago for ago in range(3_300, 300, -20) if not 1_200 < ago < 2_400))
    page = screens.of(ada, f"/feeds/{feed}?last=3600")
    expect(page.locator("[data-gaps]")).to_have_attribute("data-gaps", "1")
    page.wait_for_function(IS_DRAWN, arg=[0.1, 0.3, *BRAND])
    assert page.evaluate(IS_DRAWN, [0.7, 0.85, *BRAND])
    assert not page.evaluate(IS_DRAWN, [0.36, 0.64, *BRAND])


def test_it_opens_where_there_is_data_and_says_where_there_is_none(
    screens: Screens, ada: Person, feed: str
) -> None:
    three_days = 3 * 86_400
    measured(ada, feed, *(three_days + n * 60 for n in range(10)))
    page = screens.of(ada, f"/feeds/{feed}")
    expect(page.get_by_role("button", name="1 week")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_test_id("statistics")).to_contain_text("10 readings")
    expect(page.get_by_test_id("statistics")).to_contain_text("Avg 20 °C")
    page.get_by_role("button", name="5 minutes").click()
    sees(page, "No data in this range")
    page.get_by_role("button", name="Show latest data").click()
    expect(page.get_by_test_id("statistics")).to_contain_text("10 readings")
    expect(page.get_by_text("No data in this range")).to_have_count(0)
    page.go_back()
    sees(page, "No data in this range")


def test_zooming_has_bounds_and_a_live_chart_keeps_its_right_edge(
    screens: Screens, ada: Person, feed: str
) -> None:
    measured(ada, feed, *range(1, 100, 5))
    page = screens.of(ada, f"/feeds/{feed}")
    expect(page.get_by_role("button", name="5 minutes")).to_have_attribute("aria-pressed", "true")
    for _ in range(12):
        page.get_by_role("button", name="Zoom in").click()
    expect(page).to_have_url(re.compile(r"last=1$"))
    sees(page, "Live. Drag on the chart to zoom.")
    for _ in range(32):
        page.get_by_role("button", name="Zoom out").click()
    expect(page).to_have_url(re.compile(r"last=315619200$"))
    expect(page.get_by_test_id("statistics")).to_contain_text("20 readings")
    # Beyond now there is nothing to see.
    go(page, f"/feeds/{feed}?from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z")
    plot = page.get_by_test_id("plot")
    expect(plot).to_be_visible()
    now = datetime.now(UTC).timestamp()
    assert abs(float(plot.get_attribute("data-to") or "0") - now) < 60


def test_from_and_to_are_chosen_and_stay_in_the_address(
    screens: Screens, ada: Person, feed: str
) -> None:
    measured(ada, feed, *(7_200 + n * 10 for n in range(60)))
    page = screens.of(ada, f"/feeds/{feed}", timezone_id="Asia/Ho_Chi_Minh")
    begin = datetime.now(UTC) + timedelta(hours=7) - timedelta(hours=2, minutes=30)
    page.get_by_label("From").fill(begin.strftime("%Y-%m-%dT%H:%M:%S"))
    page.get_by_label("To", exact=True).fill(
        (begin + timedelta(minutes=40)).strftime("%Y-%m-%dT%H:%M:%S")
    )
    page.get_by_role("button", name="Show range").click()
    sees(page, "Fixed range.")
    expect(page.get_by_test_id("statistics")).to_contain_text("60 readings")
    address = page.url
    assert "from=" in address
    page.reload()
    is_live(page)
    expect(page.get_by_test_id("statistics")).to_contain_text("60 readings")
    assert page.url == address
    # The value at the pointer.
    page.locator(".u-over").hover(position={"x": 300, "y": 100})
    expect(page.locator(".u-legend .u-series").nth(1)).to_contain_text("20 °C")
    page.get_by_role("button", name="Next", exact=True).click()
    page.go_back()
    assert page.url == address


def test_limits_and_the_reading_of_an_alarm_are_in_sight(
    screens: Screens, roost: Roost, ada: Person
) -> None:
    device = ada.device("limits", "t", min_value=0, max_value=30)
    feed = device["feeds"]["t"]
    client = DeviceClient(roost, device["mqtt"])
    for value in (20, 21):
        client.publish("feeds/t", value)
    page = screens.of(ada, f"/feeds/{feed}")
    expect(page.locator(".chart")).to_have_attribute("data-low", re.compile("-"))
    assert 30 < shown(page, "high") < 40
    # It is refused, and so in no history.
    client.publish("feeds/t", 99)
    eventually(lambda: ada.get("/alarms", feed_id=feed)["items"])
    expect(page.get_by_test_id("alarms-here")).to_contain_text("99")
    eventually(lambda: shown(page, "high") > 99)
    client.close()


def test_a_bucket_that_still_runs_is_drawn_apart(screens: Screens, ada: Person, feed: str) -> None:
    measured(ada, feed, *(n * 60 for n in range(1, 300)))
    page = screens.of(ada, f"/feeds/{feed}?last=86400")
    expect(page.locator(".u-legend")).to_contain_text("Not complete yet")
    expect(page.get_by_test_id("statistics")).to_contain_text("299 readings")


def test_the_legend_speaks_the_readers_language(screens: Screens, ada: Person, feed: str) -> None:
    measured(ada, feed, 10, 20)
    page = screens.of(ada, f"/feeds/{feed}")
    expect(page.locator(".u-legend")).to_contain_text("Time")
    user_menu(page, "Tiếng Việt")
    expect(page.locator(".u-legend")).to_contain_text("Thời gian")


def test_a_new_feed_keeps_readings_outside_its_limits(screens: Screens, ada: Person) -> None:
    device = ada.device("new-feed")
    page = screens.of(ada, f"/devices/{device['id']}")
    page.get_by_role("button", name="Add feed").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Key").fill("level")
    dialog.get_by_label("Maximum").fill("10")
    dialog.get_by_role("button", name="Add feed").click()
    expect(page.get_by_role("link", name="level")).to_be_visible()
    (made,) = ada.get("/feeds", device_id=device["id"])["items"]
    assert made["on_violation"] == "flag"


def test_a_single_reading_is_seen_on_the_first_page(
    screens: Screens, roost: Roost, bob: Person
) -> None:
    client = DeviceClient(roost, bob.device("single", "t")["mqtt"])
    client.publish("feeds/t", 20)
    client.close()
    page = screens.of(bob)
    expect(page.locator(".u-legend")).to_contain_text("Not complete yet")
    page.wait_for_function(IS_DRAWN, arg=[0.9, 1.02, *BRAND])
    expect(page.locator(".chart")).to_have_attribute("data-low", "0")
    expect(page.locator(".card", has_text="Readings per minute")).to_contain_text("1")


def test_every_alarm_of_the_range_has_its_mark(screens: Screens, roost: Roost, ada: Person) -> None:
    device = ada.device("marks", "t", max_value=30, on_violation="flag")
    feed = device["feeds"]["t"]
    client = DeviceClient(roost, device["mqtt"])
    begin = datetime.now(UTC) - timedelta(hours=5)
    for n in range(210):
        when = (begin + timedelta(minutes=n)).isoformat()
        client.publish("feeds/t", {"value": 20 if n % 2 else 40, "ts": when})
    eventually(lambda: len(ada.get("/alarms", feed_id=feed, limit=1000)["items"]) == 105)
    page = screens.of(ada, f"/feeds/{feed}?last=86400")
    expect(page.locator(".chart")).to_have_attribute("data-marks", "105")
    client.close()


def test_what_is_under_way_is_not_called_empty(screens: Screens, ada: Person, feed: str) -> None:
    days = 86_400
    measured(ada, feed, *(3 * days + n * 60 for n in range(10)))
    measured(ada, feed, *(30 * days + n * 60 for n in range(10)))
    page = screens.of(ada, f"/feeds/{feed}")
    expect(page.get_by_test_id("statistics")).to_contain_text("10 readings")
    held: list[Route] = []
    page.route("**/api/v1/feed-values/**", lambda route: held.append(route))
    now = datetime.now(UTC)
    begin, end = now - timedelta(days=31), now - timedelta(days=29)
    times = f"from={begin:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}"
    with page.expect_request("**/api/v1/feed-values/**"):
        go(page, f"/feeds/{feed}?{times}")
    sees(page, "Fixed range.")
    expect(page.get_by_test_id("plot")).to_contain_text("Loading…")
    expect(page.get_by_text("No data in this range")).to_have_count(0)
    expect(page.get_by_test_id("statistics")).to_have_count(0)
    for route in held:
        route.continue_()
    expect(page.get_by_test_id("statistics")).to_contain_text("10 readings")
    expect(page.get_by_test_id("plot")).not_to_contain_text("Loading…")


def test_days_are_those_of_whoever_looks(screens: Screens, ada: Person, feed: str) -> None:
    measured(ada, feed, 10, 20)
    page = screens.of(ada, f"/feeds/{feed}", timezone_id="Asia/Ho_Chi_Minh")
    with page.expect_response(lambda said: "bucket=86400s" in said.url) as answer:
        page.get_by_role("button", name="1 year").click()
    assert "tz=Asia%2FHo_Chi_Minh" in answer.value.url
    (point,) = answer.value.json()["items"]
    assert point["ts"].endswith("T17:00:00.000000Z")


def test_a_stored_value_is_shown_with_all_its_digits(
    screens: Screens, roost: Roost, ada: Person
) -> None:
    device = ada.device("digits", "t", max_value=0.0305, on_violation="flag", unit="V")
    client = DeviceClient(roost, device["mqtt"])
    client.publish("feeds/t", 0.03125)
    client.close()
    page = screens.of(ada, f"/devices/{device['id']}")
    expect(page.get_by_role("table", name="Feeds")).to_contain_text("0.03125 V")
    expect(page.get_by_test_id("alarms-here")).to_contain_text("0.03125 V (max 0.0305 V)")
    go(page, f"/feeds/{device['feeds']['t']}")
    expect(page.get_by_test_id("last-value")).to_have_text("0.03125 V")
