"""Media, schedules and the shop, as somebody clicks through them."""

import json

from playwright.sync_api import FilePayload, expect

from tests.dashboard.screen import Screens, choose, from_menu, go, sees, user_menu
from tests.real.harness import DeviceClient, Person, Roost

# In Ho Chi Minh City.
IN_FIVE_SECONDS = "new Date(Date.now() + 7 * 3600e3 + 5e3).toISOString().slice(0, 19)"
# One red pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
    "08d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)


def test_a_schedule_is_planned_previewed_fired_and_seen_to_its_end(
    screens: Screens, roost: Roost, ada: Person
) -> None:
    device = ada.device("player-1")
    client = DeviceClient(roost, device["mqtt"])
    client.subscribe("commands")
    client.publish("status", {"status": "online"})
    page = screens.of(ada, "/media")
    sees(page, "No media yet")
    file = FilePayload(name="advert.png", mimeType="image/png", buffer=PNG)
    page.get_by_label("Drag files here").set_input_files([file])
    sees(page, "Uploaded advert.png")
    expect(page.get_by_role("img", name="advert.png")).to_be_visible()
    go(page, "/schedules")
    page.get_by_role("button", name="New schedule").first.click()
    choose(page.get_by_label("Device"), "player-1")
    choose(page.get_by_label("Time zone"), "Asia/Ho_Chi_Minh")
    choose(page.get_by_label("Repeats"), "Every day")
    expect(page.get_by_test_id("preview").get_by_role("listitem")).to_have_count(10)
    choose(page.get_by_label("Repeats"), "Custom (RRULE)")
    page.get_by_label("Recurrence rule").fill("FREQ=DAILY;INTERVAL=0")
    expect(page.get_by_role("alert")).to_contain_text("Recurrence rule: INTERVAL=0")
    choose(page.get_by_label("Repeats"), "Once")
    page.get_by_label("Start", exact=True).fill("2026-01-01T08:00:00")
    sees(page, "No upcoming plays")
    page.get_by_role("button", name="Create schedule").click()
    expect(page.get_by_role("alert")).to_contain_text("in the past")
    soon = page.evaluate(IN_FIVE_SECONDS)
    page.get_by_label("Start", exact=True).fill(soon)
    page.get_by_role("button", name="Create schedule").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    heard = client.next()
    assert heard is not None
    command = json.loads(heard[1])
    assert (command["type"], command["payload"]["content_type"]) == ("play_media", "image/png")
    page.get_by_role("link", name="· Sent").click()
    client.publish(f"commands/{command['id']}/ack", {"status": "delivered"})
    row = page.get_by_role("table", name="Play history").get_by_role("row").nth(1)
    expect(row).to_contain_text("Playing")
    client.publish(f"commands/{command['id']}/ack", {"status": "succeeded"})
    expect(row).to_contain_text("Played")
    client.close()


def test_a_shop_sells_what_it_has(screens: Screens, bob: Person) -> None:
    page = screens.of(bob, "/shop")
    sees(page, "No orders yet")
    expect(page.get_by_role("button", name="New order")).to_be_disabled()
    page.get_by_role("link", name="Show products").click()
    sees(page, "No products yet")
    page.get_by_role("button", name="Add product").click()
    page.get_by_label("Name").fill("Lamp")
    page.get_by_label("SKU").fill("L-1")
    page.get_by_label("Price").fill("12.50")
    page.get_by_label("Stock").fill("3")
    page.get_by_role("dialog").get_by_role("button", name="Add product").click()
    sees(page, "Lamp")
    page.get_by_role("tab", name="Orders", exact=True).click()
    for quantity in ("2", "2"):
        page.get_by_role("button", name="New order").click()
        page.get_by_label("Quantity").fill(quantity)
        page.get_by_role("button", name="Place order").click()
        if quantity == "2" and page.locator("td", has_text="2 × Lamp").count():
            break
        expect(page.get_by_role("cell", name="2 × Lamp", exact=True)).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("Only 1 Lamp in stock")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    row = page.get_by_role("row", name="2 × Lamp")
    expect(row).to_contain_text("25")
    from_menu(row, "2 × Lamp", "Complete order")
    expect(row).to_contain_text("Completed")


def test_settings_make_and_take_away_what_programs_use(screens: Screens, bob: Person) -> None:
    page = screens.of(bob, "/settings")
    page.get_by_role("tab", name="API keys").click()
    page.get_by_label("Name").fill("script")
    page.get_by_role("button", name="Create API key").click()
    key = page.locator(".secret code").inner_text()
    answer = bob.call("GET", "/devices", headers={"x-auth-token": key})
    assert answer.status_code == 200
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    from_menu(page, "script", "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    sees(page, "No API keys yet")
    assert bob.call("GET", "/devices", headers={"x-auth-token": key}).status_code == 401
    page.get_by_role("tab", name="Webhooks").click()
    page.get_by_label("URL").fill("https://receiver.example/hook")
    page.get_by_role("button", name="Add webhook").click()
    sees(page, "Save your signing secret")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_role("tab", name="Read-only MQTT access").click()
    page.get_by_role("button", name="Create credentials").click()
    sees(page, "mosquitto_sub")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_role("tab", name="Activity log").click()
    sees(page, "API key deleted")
    page.get_by_role("tab", name="Profile").click()
    page.get_by_label("Full name").fill("Bob")
    page.get_by_role("button", name="Save").click()
    sees(page, "Saved")
    user_menu(page, "Sign out")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_media_that_a_schedule_needs_names_the_schedules(screens: Screens, roost: Roost) -> None:
    eve = roost.user("eve.media")
    device = eve.device("needs-it")
    made = {}
    for name in ("kept.txt", "free.txt"):
        files = {"file": (name, name.encode(), "text/plain")}
        made[name] = eve.call("POST", "/media", files=files).json()["id"]
    plan = {"device_id": device["id"], "recurrence": "FREQ=DAILY"}
    start = {"trigger_time": "2026-01-01T08:00:00Z"}
    for zone in ("UTC", "Asia/Ho_Chi_Minh"):
        eve.post(
            "/media-schedules", {**plan, **start, "media_id": made["kept.txt"], "timezone": zone}
        )
    eve.post("/media-schedules", {**plan, **start, "media_id": made["free.txt"]})
    page = screens.of(eve, "/media")
    from_menu(page, "kept.txt", "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("link", name="In use by 2 schedules").click()
    rows = page.get_by_role("table", name="Schedules").get_by_role("row")
    expect(rows).to_have_count(3)
    page.get_by_role("button", name="Show all schedules").click()
    expect(rows).to_have_count(4)


def test_uploads_are_counted_by_the_days_of_whoever_looks(screens: Screens, ada: Person) -> None:
    page = screens.of(ada, timezone_id="Pacific/Kiritimati")
    with page.expect_response("**/api/v1/media/stats?*") as answer:
        go(page, "/media")
    assert "tz=Pacific%2FKiritimati" in answer.value.url
    today = page.evaluate("new Date(Date.now() + 14 * 3600e3).toISOString().slice(0, 10)")
    assert answer.value.json()["uploads_per_day"][-1]["day"] == today
