"""Alarms are in sight wherever somebody is, until somebody has acknowledged them."""

import re
import threading

from playwright.sync_api import expect

from tests.dashboard.screen import Screens, choose, go, sees
from tests.real.harness import DeviceClient, Person, Roost, eventually

LIMITS = {"max_value": 50, "on_violation": "flag", "unit": "%"}


def alarms(person: Person, **asked: object) -> list[dict[str, object]]:
    items: list[dict[str, object]] = person.get("/alarms", **asked)["items"]
    return items


def test_open_alarms_are_counted_and_shown_on_every_page(
    screens: Screens, roost: Roost, ada: Person
) -> None:
    device = ada.device("field-1", "soil", **LIMITS)
    page = screens.of(ada)
    expect(page).to_have_title("Overview – Roost")
    expect(page.get_by_test_id("open-alarms")).to_have_count(0)
    client = DeviceClient(roost, device["mqtt"])
    client.publish("feeds/soil", 60)
    expect(page.get_by_test_id("open-alarms")).to_have_text("1")
    expect(page).to_have_title("(1) Overview – Roost")
    page.get_by_label("Alarms not acknowledged: 1").click()
    last = page.locator(".popup.last")
    expect(last).to_contain_text("field-1")
    expect(last).to_contain_text("60 %")
    for path in (f"/devices/{device['id']}", f"/feeds/{device['feeds']['soil']}"):
        go(page, path)
        expect(page.get_by_test_id("alarms-here")).to_contain_text("60 %")
    # It clears before anybody has seen it.
    client.publish("feeds/soil", 40)
    expect(page.get_by_test_id("open-alarms")).to_have_count(0)
    here = page.get_by_test_id("alarms-here")
    expect(here).to_contain_text("Cleared")
    expect(here).to_contain_text("not acknowledged")
    go(page, "/alarms")
    row = page.get_by_role("row", name="field-1")
    expect(row).to_contain_text("not acknowledged")
    row.get_by_role("button", name="Acknowledge").click()
    sees(page, "No open alarms")
    expect(page.get_by_label("No new alarms")).to_be_visible()
    assert [each["state"] for each in alarms(ada)] == ["cleared"]
    client.close()


def test_several_alarms_are_acknowledged_at_once(
    screens: Screens, roost: Roost, ada: Person
) -> None:
    device = ada.device("many-1", "a", "b", "c", **LIMITS)
    client = DeviceClient(roost, device["mqtt"])
    client.publish("feeds", {"a": 60, "b": 70, "c": 80})
    eventually(lambda: len(alarms(ada, state="active")) == 3)
    page = screens.of(ada, "/alarms")
    expect(page.get_by_role("row", name="many-1")).to_have_count(3)
    page.get_by_role("button", name="Select all").click()
    page.get_by_label("Select", exact=True).first.uncheck()
    page.get_by_role("button", name="Acknowledge selected (2)").click()
    expect(page.get_by_role("row", name="Acknowledged")).to_have_count(2)
    assert len(alarms(ada, state="acknowledged")) == 2
    choose(page.get_by_label("State"), "Active")
    expect(page.get_by_role("row", name="many-1")).to_have_count(1)
    assert page.url.endswith("#/alarms?state=active")
    client.close()


def test_deleting_a_device_says_what_becomes_of_its_feeds_and_alarms(
    screens: Screens, roost: Roost, bob: Person
) -> None:
    device = bob.device("gone-1", "soil", "air", **LIMITS)
    client = DeviceClient(roost, device["mqtt"])
    client.publish("feeds/soil", 60)
    eventually(lambda: alarms(bob, state="active"))
    page = screens.of(bob, f"/devices/{device['id']}")
    page.get_by_role("button", name="Delete gone-1").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Its feeds (2) and their history are kept")
    expect(dialog).to_contain_text("Its alarms will be deleted (1 open)")
    dialog.get_by_role("button", name="Delete device").click()
    expect(page).to_have_title(re.compile("Devices"))
    page.get_by_role("link", name="Feeds", exact=True).click()
    choose(page.get_by_label("Device", exact=True), "Without a device")
    expect(page.get_by_role("row", name="Deleted device")).to_have_count(2)
    page.get_by_role("link", name="soil").click()
    expect(page.get_by_test_id("last-value")).to_have_text("60 %")
    other = bob.device("gone-2", "x")
    go(page, f"/devices/{other['id']}")
    page.get_by_role("button", name="Delete gone-2").click()
    page.get_by_label("Also delete feeds").check()
    page.get_by_role("button", name="Delete device").click()
    expect(page).to_have_title(re.compile("Devices"))
    assert bob.call("GET", f"/feeds/{other['feeds']['x']}").status_code == 404
    client.close()


# Each answer about alarms takes a second: longer than the page waits between two looks.
SLOW = """
() => {
  const { fetch } = window;
  window.fetch = async (path, options) => {
    const answer = await fetch(path, options);
    if (String(path).includes("/alarms")) await new Promise((done) => setTimeout(done, 1000));
    return answer;
  };
}
"""


def test_alarms_are_counted_while_others_come_and_go_all_the_time(
    screens: Screens, roost: Roost
) -> None:
    eve = roost.user("eve.storm")
    busy, quiet = eve.device("busy", "t", **LIMITS), eve.device("quiet", "t", **LIMITS)
    client, other = DeviceClient(roost, busy["mqtt"]), DeviceClient(roost, quiet["mqtt"])
    page = screens.of(eve, "/alarms")
    sees(page, "No open alarms")
    page.evaluate(SLOW)
    is_over = threading.Event()

    def storm() -> None:
        value = 40
        while not is_over.wait(0.2):
            value = 100 - value
            client.publish("feeds/t", value)

    storming = threading.Thread(target=storm)
    storming.start()
    try:
        other.publish("feeds/t", 70)
        expect(page.get_by_role("row", name="quiet")).to_contain_text("70 %")
        expect(page.get_by_test_id("open-alarms")).to_be_visible()
    finally:
        is_over.set()
        storming.join()
    client.close()
    other.close()
