"""Forms that change what is stored, while somebody else changes it, too."""

from playwright.sync_api import Page, expect

from tests.dashboard.screen import Screens, go, sees
from tests.real.harness import Person


def saved(page: Page) -> None:
    """Save, and read what a toast says of it; the next one is another."""
    page.get_by_role("button", name="Save", exact=True).click()
    toast = page.locator(".toast", has_text="Saved")
    expect(toast).to_be_visible()
    toast.get_by_role("button", name="Close").click()
    expect(toast).to_have_count(0)


def test_renaming_a_product_gives_back_nothing_that_was_ordered_meanwhile(
    screens: Screens, ada: Person
) -> None:
    body = {"name": "Lamp", "sku": "L-1", "price": "9.90", "stock": 20}
    product = ada.post("/products", body)
    page = screens.of(ada, "/shop")
    page.get_by_role("row", name="Lamp").get_by_role("button", name="Edit").click()
    expect(page.get_by_label("Stock")).to_have_value("20")
    ada.post("/orders", {"items": [{"product_id": product["id"], "quantity": 5}], "note": "Gate 2"})
    page.get_by_label("Name").fill("Lantern")
    saved(page)
    after = ada.get(f"/products/{product['id']}")
    assert (after["name"], after["stock"]) == ("Lantern", 15)
    order = page.get_by_role("row", name="5 × Lamp")
    expect(order).to_contain_text("Gate 2")
    order.get_by_role("button", name="Cancel order").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Items return to stock.")
    dialog.get_by_role("button", name="Keep order").click()
    expect(order).to_contain_text("Placed")


def test_two_tabs_change_two_thresholds_and_both_hold(screens: Screens, ada: Person) -> None:
    feed = ada.device("tabs-1", "t", min_value=0, max_value=40)["feeds"]["t"]
    page = screens.of(ada, f"/feeds/{feed}")
    expect(page.get_by_label("Maximum")).to_have_value("40")
    page.get_by_label("Minimum").fill("-5")
    other = {"max_value": 50, "alarm": {"after_s": 7, "severity": "critical"}}
    assert ada.call("PATCH", f"/feeds/{feed}", json=other).status_code == 200
    page.get_by_label("Consecutive values before alarm").fill("2")
    saved(page)
    after = ada.get(f"/feeds/{feed}")
    assert (after["min_value"], after["max_value"]) == (-5, 50)
    rule = after["alarm"]
    assert (rule["after_s"], rule["after_count"], rule["severity"]) == (7, 2, "critical")


def test_a_form_follows_and_says_where_both_changed_the_same(screens: Screens, ada: Person) -> None:
    device = ada.device("both-1")
    page = screens.of(ada, f"/devices/{device['id']}")
    name, silence = page.get_by_label("Name", exact=True), page.get_by_label("Mark offline after")
    silence.fill("600")
    body = {"name": "Renamed", "offline_after_s": 120}
    assert ada.call("PATCH", f"/devices/{device['id']}", json=body).status_code == 200
    expect(name).to_have_value("Renamed")
    expect(silence).to_have_value("600")
    sees(page, "Changed elsewhere to 120.")
    page.get_by_role("button", name="Save", exact=True).click()
    sees(page, "Choose which value to keep.")
    assert ada.get(f"/devices/{device['id']}")["offline_after_s"] == 120
    page.get_by_role("button", name="Keep mine").click()
    saved(page)
    assert ada.get(f"/devices/{device['id']}")["offline_after_s"] == 600
    silence.fill("700")
    body = {"offline_after_s": 60}
    assert ada.call("PATCH", f"/devices/{device['id']}", json=body).status_code == 200
    page.get_by_role("button", name="Use theirs").click()
    expect(silence).to_have_value("60")


def test_schedules_and_the_profile_send_what_was_changed(screens: Screens, ada: Person) -> None:
    device = ada.device("plan-1")
    files = {"file": ("a.txt", b"hello", "text/plain")}
    media = ada.call("POST", "/media", files=files).json()
    plan = {"media_id": media["id"], "device_id": device["id"], "recurrence": "FREQ=DAILY"}
    schedule = ada.post("/media-schedules", {**plan, "trigger_time": "2026-01-01T08:00:00.25Z"})
    path = f"/media-schedules/{schedule['id']}"
    page = screens.of(ada, f"/schedules/{schedule['id']}")
    expect(page.get_by_label("Repeats")).to_have_value("FREQ=DAILY")
    assert ada.call("PATCH", path, json={"recurrence": "FREQ=WEEKLY"}).status_code == 200
    with page.expect_request(lambda asked: asked.method == "PATCH") as asked:
        page.get_by_label("Max delay (seconds)").fill("30")
        saved(page)
    assert asked.value.post_data_json == {"grace_s": 30}
    assert asked.value.headers["if-match"]
    after = ada.get(path)
    assert (after["grace_s"], after["recurrence"]) == (30, "FREQ=WEEKLY")
    assert after["trigger_time"] == schedule["trigger_time"]
    go(page, "/settings")
    expect(page.get_by_label("Full name")).to_have_value("")
    page.get_by_label("Full name").fill("Ada")
    saved(page)
    assert ada.get("/users/me")["full_name"] == "Ada"


def test_another_language_keeps_a_half_filled_form(screens: Screens, ada: Person) -> None:
    device = ada.device("words-1")
    page = screens.of(ada, f"/devices/{device['id']}")
    page.get_by_label("Command", exact=True).fill("reboot")
    page.get_by_label("Name").fill("Half-filled")
    page.get_by_label("Language").select_option("vi")
    expect(page.get_by_role("heading", name="Cài đặt")).to_be_visible()
    expect(page.get_by_placeholder("reboot")).to_have_value("reboot")
    expect(page.get_by_label("Tên", exact=True)).to_have_value("Half-filled")


def test_dialogs_begin_at_their_first_field(screens: Screens, ada: Person) -> None:
    page = screens.of(ada, "/devices")
    page.get_by_role("button", name="Add device").click()
    expect(page.get_by_label("Device ID")).to_be_focused()
    page.keyboard.press("Escape")
    go(page, "/shop")
    page.get_by_role("button", name="Add product").click()
    expect(page.get_by_role("dialog").get_by_label("Name")).to_be_focused()
