"""What devices say over MQTT, as it reaches the screen."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.screen import WAIT_MS, Screens, go, is_live, sees, user_menu
from tests.real.harness import DeviceClient, Person, Roost

# Whether something of that colour is drawn.
HAS_COLOUR = """
([where, r, g, b]) => {
  const canvas = document.querySelector(where);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let n = 0; n < data.length; n += 4)
    if (data[n] === r && data[n + 1] === g && data[n + 2] === b && data[n + 3] === 255) return true;
  return false;
}
"""
MAP = "canvas[data-drawn]"
AT_ONCE_MS = 4_000
GREEN, GREY, BRAND = [22, 163, 74], [100, 116, 139], [15, 118, 110]


@pytest.fixture(scope="module")
def roost(own_roost: Roost) -> Roost:
    """One of its own: it is killed."""
    return own_roost


def test_the_table_lives(screens: Screens, roost: Roost, ada: Person) -> None:
    device = ada.device("table-1")
    page = screens.of(ada, "/devices")
    row = page.locator('[data-device="table-1"]')
    expect(row).to_contain_text("Offline")
    client = DeviceClient(roost, device["mqtt"])
    client.publish("status", {"status": "online", "temperature": 21.25, "humidity": 40})
    expect(row).to_contain_text("21.3 °C")
    expect(row).to_contain_text("Online")
    client.publish("status", {"status": "offline"})
    expect(row).to_contain_text("Offline")
    client.close()
    page.get_by_role("searchbox").fill("no such device")
    expect(row).to_have_count(0)


def test_devices_move_and_change_colour_on_the_map(
    screens: Screens, roost: Roost, ada: Person
) -> None:
    device = ada.device("map-1")
    client = DeviceClient(roost, device["mqtt"])
    client.publish("status", {"status": "online", "latitude": 21.03, "longitude": 105.85})
    page = screens.of(ada, "/map")
    expect(page.locator("canvas[data-drawn]")).to_have_attribute("data-drawn", "1")
    page.wait_for_function(HAS_COLOUR, arg=[MAP, *GREEN])
    before = place(page)
    client.publish("status", {"latitude": 21.04, "longitude": 105.86})
    page.wait_for_function(
        "before => JSON.stringify(document.roostPlaces()) !== before", arg=json.dumps(before)
    )
    client.publish("status", {"status": "offline"})
    page.wait_for_function(HAS_COLOUR, arg=[MAP, *GREY])
    assert not page.evaluate(HAS_COLOUR, [MAP, *GREEN])
    client.close()


FIND = """
() => {
  document.roostPlaces = () => {
    const canvas = document.querySelector("canvas[data-drawn]");
    const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    for (let n = 3; n < data.length; n += 4)
      if (data[n] === 255) return [((n - 3) / 4) % width, Math.floor((n - 3) / 4 / width)];
    return null;
  };
  return document.roostPlaces();
}
"""


def place(page: Page) -> list[int]:
    """The first drawn pixel of the map's devices."""
    found: list[int] = page.evaluate(FIND)
    return found


def test_a_chart_grows_with_every_reading_and_loads_history(
    screens: Screens, roost: Roost, ada: Person
) -> None:
    device = ada.device("chart-1", "t", min_value=-100, max_value=100, on_violation="flag")
    client = DeviceClient(roost, device["mqtt"])
    client.publish("feeds/t", 1)
    page = screens.of(ada, f"/feeds/{device['feeds']['t']}")
    expect(page.get_by_test_id("last-value")).to_have_text("1 ")
    page.wait_for_selector(".uplot canvas")
    for n in range(20):
        client.publish("feeds/t", n % 7)
    client.publish("feeds/t", 42.5)
    expect(page.get_by_test_id("last-value")).to_have_text("42.5 ")
    # The socket may skip steps between, the history does not.
    expect(page.locator("[data-points]")).not_to_have_attribute("data-points", "1")
    page.wait_for_function(HAS_COLOUR, arg=[".uplot canvas", *BRAND])
    page.reload()
    expect(page.locator("[data-points]")).to_have_attribute("data-points", "22")
    with page.expect_response(lambda answer: "bucket=" in answer.url) as answer:
        page.get_by_role("button", name="1 year").click()
    assert answer.value.status == 200
    with page.expect_response(lambda answer: "start=" in answer.url):
        page.get_by_role("button", name="Zoom in").click()
    expect(page).to_have_url(re.compile("last=15811200"))
    with page.expect_download() as saved:
        page.get_by_role("button", name="Export CSV").click()
    assert saved.value.suggested_filename == "t.csv"
    client.close()


def test_commands_and_alarms_show_what_became_of_them(
    screens: Screens, roost: Roost, ada: Person
) -> None:
    device = ada.device("told-1", "t", max_value=10)
    client = DeviceClient(roost, device["mqtt"])
    client.subscribe("commands")
    page = screens.of(ada, f"/devices/{device['id']}?tab=commands")
    page.get_by_label("Command", exact=True).fill("beep")
    page.get_by_label("Payload (JSON)").fill('{"times": 2}')
    page.get_by_role("button", name="Send").click()
    heard = client.next()
    assert heard is not None
    command = json.loads(heard[1])
    assert command["payload"] == {"times": 2}
    client.publish(f"commands/{command['id']}/ack", {"status": "succeeded"})
    expect(page.get_by_role("row", name="beep")).to_contain_text("Succeeded")
    client.publish("feeds/t", 99)
    go(page, "/alarms")
    row = page.get_by_role("row", name="told-1")
    expect(row).to_contain_text("99")
    row.get_by_role("button", name="Acknowledge").click()
    expect(row).to_contain_text("Acknowledged")
    client.close()


def test_it_comes_back_after_the_service_was_killed(
    screens: Screens, roost: Roost, ada: Person
) -> None:
    device = ada.device("back-1", "t")
    client = DeviceClient(roost, device["mqtt"])
    client.publish("feeds/t", 1)
    page = screens.of(ada, f"/feeds/{device['feeds']['t']}")
    expect(page.get_by_test_id("last-value")).to_have_text("1 ")
    screens.expected.append("ERR_CONTENT_LENGTH_MISMATCH")  # of what is fetched at that moment
    roost.kill()
    expect(page.locator("[data-link]")).to_have_attribute("data-link", "reconnecting")
    sees(page, "Connection lost")
    roost.start()
    is_live(page)
    again = DeviceClient(roost, device["mqtt"])
    again.publish("feeds/t", 2)
    expect(page.get_by_test_id("last-value")).to_have_text("2 ", timeout=WAIT_MS)
    # Late, and older: it goes to the history, not to the screen.
    again.publish("feeds/t", {"value": 3, "ts": "2026-01-01T00:00:00Z"})
    again.publish("status", {"status": "online", "firmware": "after-3"})
    go(page, f"/devices/{device['id']}")
    sees(page, "after-3")
    expect(page.get_by_role("table", name="Feeds").get_by_role("row").nth(1)).to_contain_text("2")
    again.close()
    client.close()


def test_two_users_never_see_each_others_things(
    screens: Screens, roost: Roost, ada: Person, bob: Person
) -> None:
    hers, his = ada.device("hers-1", "t"), bob.device("his-1", "t")
    page, other = screens.of(ada, "/devices"), screens.of(bob, "/devices")
    for device, value in ((hers, 11), (his, 22)):
        client = DeviceClient(roost, device["mqtt"])
        client.publish("status", {"status": "online", "temperature": value})
        client.close()
    expect(page.locator('[data-device="hers-1"]')).to_contain_text("11")
    expect(other.locator('[data-device="his-1"]')).to_contain_text("22")
    assert "his-1" not in page.content()
    assert "hers-1" not in other.content()
    go(other, f"/devices/{hers['id']}")
    expect(other.get_by_role("heading", name="Device not found", level=1)).to_be_focused()
    go(other, f"/feeds/{hers['feeds']['t']}")
    expect(other.get_by_role("heading", name="Feed not found")).to_be_visible()
    other.get_by_role("link", name="Show all feeds").click()
    expect(other.get_by_role("row", name="his-1")).to_be_visible()


def test_names_follow_devices_that_are_added_and_renamed_elsewhere(
    screens: Screens, ada: Person
) -> None:
    device = ada.device("named-1", "t")
    files = {"file": ("named.txt", b"named", "text/plain")}
    media = ada.call("POST", "/media", files=files).json()
    plan = {"media_id": media["id"], "device_id": device["id"], "recurrence": "FREQ=DAILY"}
    schedule = ada.post("/media-schedules", {**plan, "trigger_time": "2026-01-01T08:00:00Z"})
    page = screens.of(ada)
    names = ["named-1", "At the gate", "In the yard", "On the roof"]
    for n, path in enumerate(("/feeds", "/schedules?view=list", f"/schedules/{schedule['id']}")):
        go(page, path)
        expect(page.locator("main").get_by_text(names[n], exact=True)).to_be_visible()
        body = {"name": names[n + 1]}
        assert ada.call("PATCH", f"/devices/{device['id']}", json=body).status_code == 200
        # At once, and not with the next look at something else.
        shown = page.locator("main").get_by_text(names[n + 1], exact=True)
        expect(shown).to_be_visible(timeout=AT_ONCE_MS)
    go(page, "/schedules")
    page.get_by_role("button", name="New schedule").first.click()
    page.get_by_role("dialog").get_by_label("Device").click()
    expect(page.get_by_role("option", name="On the roof")).to_be_visible()
    ada.device("named-2")
    expect(page.get_by_role("option", name="named-2")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.get_by_label("Device", exact=True).click()
    expect(page.get_by_role("option", name="named-2")).to_be_visible()


def test_a_session_that_ends_elsewhere_ends_the_page(screens: Screens, ada: Person) -> None:
    page = screens.of(ada, "/settings")
    page.get_by_role("tab", name="Sessions").click()
    sees(page, "This device")
    current = next(s for s in ada.get("/sessions", limit=1000)["items"] if "Chrome" in s["agent"])
    assert ada.call("DELETE", f"/sessions/{current['id']}").status_code == 204
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


# The places of drawn dots on the map, in pixels of its box, and the size of box and canvas.
DOTS = """
() => {
  const canvas = document.querySelector("canvas[data-drawn]");
  const box = document.querySelector(".map").getBoundingClientRect();
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let right = [-1, -1];
  for (let n = 3; n < data.length; n += 4) {
    const at = (n - 3) / 4;
    if (data[n] === 255 && at % canvas.width > right[0])
      right = [at % canvas.width, Math.floor(at / canvas.width)];
  }
  return { right, canvas: canvas.width, box: Math.round(box.width), left: box.left, top: box.top };
}
"""


def test_the_map_knows_its_size_and_keeps_what_was_clicked_in_view(
    screens: Screens, roost: Roost, bob: Person
) -> None:
    for code, longitude in (("west", 100.0), ("east", 110.0)):
        client = DeviceClient(roost, bob.device(code)["mqtt"])
        client.publish("status", {"status": "online", "latitude": 21, "longitude": longitude})
        client.close()
    page = screens.of(bob, "/map", viewport={"width": 1200, "height": 800})
    expect(page.locator(MAP)).to_have_attribute("data-drawn", "2")
    before = page.evaluate(DOTS)
    x, y = before["right"]
    page.mouse.click(before["left"] + x - 7, before["top"] + y)
    expect(page.get_by_role("heading", name="east")).to_be_visible()
    page.set_viewport_size({"width": 1000, "height": 800})
    page.wait_for_function(f"() => (({DOTS})()).canvas < {before['canvas'] - 100}")
    after = page.evaluate(DOTS)
    assert abs(after["canvas"] - after["box"]) < 10
    assert 0 < after["right"][0] < after["box"] - 30
    # Another theme draws it where it was.
    user_menu(page, "Dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.wait_for_function(f"() => (({DOTS})()).right[0] === {after['right'][0]}")
