"""The calendar: everything that plays in its days, whatever its rule."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.dashboard.screen import Screens, choose, go, is_live
from tests.real.harness import Person

IN_THE_MORNING = "T01:30:00Z"


@pytest.fixture(scope="module")
def plans(ada: Person) -> dict[str, str]:
    """A daily advert, one at the same time on the same screen, and one every half hour."""
    screen, other = ada.device("lobby"), ada.device("yard")
    media = {}
    for name in ("advert", "news", "chime"):
        files = {"file": (f"{name}.txt", name.encode(), "text/plain")}
        media[name] = ada.call("POST", "/media", files=files).json()["id"]
    plan = {"device_id": screen["id"], "timezone": "Asia/Ho_Chi_Minh"}
    daily = {"media_id": media["advert"], "recurrence": "FREQ=DAILY"}
    ada.post("/media-schedules", plan | daily | {"trigger_time": f"2026-01-01{IN_THE_MORNING}"})
    clash = {"media_id": media["news"], "trigger_time": f"2031-03-10{IN_THE_MORNING}"}
    ada.post("/media-schedules", plan | clash)
    often = {
        "media_id": media["chime"],
        "device_id": other["id"],
        "recurrence": "FREQ=MINUTELY;INTERVAL=30",
    }
    ada.post("/media-schedules", often | {"trigger_time": "2031-03-20T00:00:00Z"})
    return {"screen": screen["id"], "other": other["id"]}


def opened(screens: Screens, ada: Person, address: str) -> Page:
    return screens.of(ada, address, timezone_id="Asia/Ho_Chi_Minh")


def test_a_month_shows_every_day_of_a_rule_years_ahead(
    screens: Screens, ada: Person, plans: dict[str, str]
) -> None:
    page = opened(screens, ada, f"/schedules?on=2031-03-05&device={plans['screen']}")
    expect(page.get_by_role("heading", name="March 2031")).to_be_visible()
    # From 24 February to 6 April, and the one that stands alone.
    entries = page.locator(".calendar .entry")
    expect(entries).to_have_count(42 + 1)
    expect(entries.first).to_contain_text("08:30")
    expect(entries.first).to_contain_text("advert.txt")
    expect(entries.first).to_contain_text("lobby · Pending")
    expect(page.get_by_text("Times in Asia/Ho_Chi_Minh")).to_be_visible()
    expect(page.locator(".entry.conflict")).to_have_count(2)
    expect(page.get_by_text("Conflicts: 2")).to_be_visible()
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.get_by_role("heading", name="April 2031")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="March 2031")).to_be_visible()
    choose(page.get_by_label("Time zone"), "Asia/Ho_Chi_Minh")
    page.reload()
    is_live(page)
    expect(page.get_by_role("heading", name="March 2031")).to_be_visible()


def test_a_full_day_opens_and_week_and_agenda_show_the_same(
    screens: Screens, ada: Person, plans: dict[str, str]
) -> None:
    page = opened(screens, ada, f"/schedules?on=2031-03-25&device={plans['other']}")
    page.get_by_role("button", name="Show all 48 of 25 March 2031").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".entry")).to_have_count(48)
    expect(dialog.locator(".entry").last).to_contain_text("23:30")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Week").click()
    expect(page.get_by_role("heading", name="24 Mar 2031 – 30 Mar 2031")).to_be_visible()
    expect(page.get_by_role("button", name="Show all 48").first).to_be_visible()
    page.get_by_role("button", name="Agenda").click()
    expect(page.get_by_role("heading", name=re.compile("Tuesday,? 25 March 2031"))).to_be_visible()
    expect(page.locator(".agenda .entry")).to_have_count(14 * 48)


def test_times_may_be_those_of_the_screen(
    screens: Screens, ada: Person, plans: dict[str, str]
) -> None:
    page = screens.of(ada, timezone_id="Europe/Berlin")
    go(page, f"/schedules?on=2031-03-05&device={plans['screen']}")
    entry = page.locator(".calendar .entry").first
    expect(entry).to_contain_text("02:30")
    choose(page.get_by_label("Time zone"), "Asia/Ho_Chi_Minh")
    expect(entry).to_contain_text("08:30")
    assert "zone=Asia" in page.url


def test_a_time_stands_beside_the_zone_that_it_is_in(
    screens: Screens, ada: Person, plans: dict[str, str]
) -> None:
    page = screens.of(ada, "/schedules?view=list", timezone_id="Europe/Berlin")
    row = page.get_by_role("row", name="advert.txt")
    expect(row).to_contain_text("08:30:00")
    expect(row).to_contain_text("Asia/Ho_Chi_Minh")
    row.get_by_role("link").first.click()
    expect(page.get_by_label("Start (Asia/Ho_Chi_Minh)")).to_have_value("2026-01-01T08:30")
    expect(page.get_by_text("Times in Asia/Ho_Chi_Minh")).to_be_visible()
    history = page.get_by_role("table", name="Play history")
    expect(history.get_by_role("row").nth(1)).to_contain_text("08:30:00")
    go(page, "/schedules")
    page.get_by_role("button", name="New schedule").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Start").fill("2031-03-10T08:30:00")
    choose(dialog.get_by_label("Time zone"), "Asia/Ho_Chi_Minh")
    expect(page.get_by_test_id("preview")).to_contain_text("Times in Asia/Ho_Chi_Minh")
    expect(page.get_by_test_id("preview").get_by_role("listitem")).to_contain_text("08:30:00")


def test_what_a_calendar_leaves_out_is_said(
    screens: Screens, ada: Person, plans: dict[str, str]
) -> None:
    page = screens.of(ada)

    def cut(route: Route) -> None:
        answer = route.fetch()
        said = answer.json() | {"complete": False, "end": "2031-03-09T12:00:00Z", "unreadable": 2}
        route.fulfill(response=answer, json=said)

    page.route("**/api/v1/schedule-calendar?*", cut)
    go(page, "/schedules?on=2031-03-05")
    expect(page.get_by_text("Too many plays to show.")).to_contain_text("until 9 Mar 2031, 12:00")
    expect(page.get_by_text("Plays that can't be shown: 2")).to_be_visible()
