"""Forms that change what is stored, while somebody else changes it, too."""

import json

from playwright.sync_api import APIResponse, Page, Route, expect

from tests.dashboard.screen import Screens, from_menu, go, sees, user_menu
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
    page = screens.of(ada, "/shop?tab=products")
    from_menu(page, "Lamp", "Edit")
    expect(page.get_by_label("Stock")).to_have_value("20")
    ada.post("/orders", {"items": [{"product_id": product["id"], "quantity": 5}], "note": "Gate 2"})
    page.get_by_label("Name").fill("Lantern")
    saved(page)
    after = ada.get(f"/products/{product['id']}")
    assert (after["name"], after["stock"]) == ("Lantern", 15)
    page.get_by_role("tab", name="Orders", exact=True).click()
    order = page.get_by_role("row", name="5 × Lamp")
    expect(order).to_contain_text("Gate 2")
    from_menu(order, "5 × Lamp", "Cancel order")
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
    page = screens.of(ada, f"/devices/{device['id']}?tab=settings")
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


def holding(page: Page, method: str, path: str) -> list[Route]:
    """Requests of that method, which wait until somebody lets them go on."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == method:
            held.append(route)
        else:
            route.fallback()

    page.route(f"**/api/v1{path}", hold)
    return held


def test_what_is_typed_while_a_save_is_under_way_stays(screens: Screens, ada: Person) -> None:
    device = ada.device("meanwhile")
    page = screens.of(ada, f"/devices/{device['id']}?tab=settings")
    name, silence = page.get_by_label("Name", exact=True), page.get_by_label("Mark offline after")
    name.fill(" First ")
    held = holding(page, "PATCH", f"/devices/{device['id']}")
    with page.expect_request(lambda asked: asked.method == "PATCH"):
        page.get_by_role("button", name="Save", exact=True).click()
    name.fill("First and second")
    silence.fill("77")
    held.pop().continue_()
    sees(page, "Saved")
    expect(page.get_by_role("heading", level=1)).to_have_text("First")
    expect(name).to_have_value("First and second")
    expect(silence).to_have_value("77")
    expect(page.locator(".conflict")).to_have_count(0)
    page.unroute_all()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("First and second")
    assert ada.get(f"/devices/{device['id']}")["offline_after_s"] == 77


def test_what_was_typed_stays_when_somebody_looks_elsewhere(screens: Screens, ada: Person) -> None:
    device = ada.device("elsewhere")
    body = {"name": "Kettle", "sku": "K-1", "price": "5", "stock": 3}
    product = ada.post("/products", body)
    page = screens.of(ada, f"/devices/{device['id']}?tab=settings")
    name = page.get_by_label("Name", exact=True)
    name.fill("Half a na")
    go(page, "/devices")
    expect(page.get_by_role("heading", name="Devices", level=1)).to_be_visible()
    page.go_back()
    expect(name).to_have_value("Half a na")
    page.get_by_role("button", name="Discard changes").press("Enter")
    expect(name).to_have_value("elsewhere")
    expect(page.get_by_role("button", name="Discard changes")).to_have_count(0)
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_focused()
    go(page, "/shop?tab=products")
    from_menu(page, "Kettle", "Edit")
    page.get_by_label("Stock").fill("12")
    page.keyboard.press("Escape")
    from_menu(page, "Kettle", "Edit")
    expect(page.get_by_label("Stock")).to_have_value("12")
    page.get_by_label("Name").fill(" Kettle 2 ")
    saved(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
    from_menu(page, "Kettle 2", "Edit")
    expect(page.get_by_label("Stock")).to_have_value("12")
    expect(page.get_by_role("button", name="Discard changes")).to_have_count(0)
    assert ada.get(f"/products/{product['id']}")["stock"] == 12


def test_escape_asks_before_it_closes_what_was_typed(screens: Screens, ada: Person) -> None:
    ada.device("asked")
    files = {"file": ("asked.txt", b"asked", "text/plain")}
    assert ada.call("POST", "/media", files=files).status_code == 201
    page = screens.of(ada, "/devices")
    page.get_by_role("button", name="Add device").click()
    code = page.get_by_label("Device ID")
    code.fill("half-typed")
    page.keyboard.press("Escape")
    sees(page, "Discard what you typed?")
    expect(page.get_by_role("button", name="Keep editing")).to_be_focused()
    page.keyboard.press("Enter")
    expect(code).to_be_focused()
    expect(code).to_have_value("half-typed")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Discard", exact=True).press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Add device")).to_be_focused()
    # Nothing was typed here.
    go(page, "/schedules")
    page.get_by_role("button", name="New schedule").first.click()
    expect(page.get_by_role("dialog").get_by_label("Media")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_an_answer_from_before_a_save_does_not_undo_it_on_the_page(
    screens: Screens, ada: Person
) -> None:
    device = ada.device("late-answer")
    page = screens.of(ada, f"/devices/{device['id']}?tab=settings")
    silence = page.get_by_label("Mark offline after")
    expect(silence).to_have_value("300")
    late: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if route.request.method != "GET" or late:
            route.fallback()
            return
        late.append((route, route.fetch()))

    page.route(f"**/api/v1/devices/{device['id']}", hold)
    with page.expect_request(lambda asked: asked.url.endswith(device["id"])):
        silence.fill("400")
    page.get_by_role("button", name="Save", exact=True).click()
    sees(page, "Saved")
    ((route, answer),) = late
    with page.expect_response(lambda said: said.url.endswith(device["id"])):
        route.fulfill(response=answer)
    page.evaluate("() => new Promise((done) => setTimeout(done, 100))")
    assert silence.input_value() == "400"


def test_pausing_names_the_version_that_was_shown(screens: Screens, ada: Person) -> None:
    device = ada.device("paused-1")
    files = {"file": ("p.txt", b"paused", "text/plain")}
    media = ada.call("POST", "/media", files=files).json()
    plan = {"media_id": media["id"], "device_id": device["id"], "recurrence": "FREQ=DAILY"}
    schedule = ada.post("/media-schedules", {**plan, "trigger_time": "2026-01-01T08:00:00Z"})
    path = f"/media-schedules/{schedule['id']}"
    page = screens.of(ada, f"/schedules/{schedule['id']}")
    # It changes elsewhere, and the page does not know yet.
    old = ada.call("GET", path)
    stale = {"json": json.loads(old.text), "headers": {"ETag": old.headers["etag"]}}
    expect(page.get_by_label("Repeats")).to_have_value("FREQ=DAILY")
    page.route(
        f"**/api/v1{path}",
        lambda route: route.fulfill(**stale) if route.request.method == "GET" else route.fallback(),
    )
    assert ada.call("PATCH", path, json={"recurrence": "FREQ=WEEKLY"}).status_code == 200
    page.get_by_role("button", name="Pause", exact=True).click()
    sees(page, "Check it and try again")
    assert ada.get(path)["enabled"] is True
    page.unroute_all()
    expect(page.get_by_label("Repeats")).to_have_value("FREQ=WEEKLY")
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert ada.get(path)["enabled"] is False
    hook = ada.post("/webhooks", {"url": "https://receiver.example/paused"})
    go(page, "/settings?tab=webhooks")
    with page.expect_request(lambda asked: asked.method == "PATCH") as asked:
        from_menu(page, hook["url"], "Pause")
    assert asked.value.headers["if-match"]
    page.get_by_role("button", name=f"Actions for {hook['url']}").click()
    expect(page.get_by_role("menuitem", name="Resume")).to_be_visible()
    assert ada.get(f"/webhooks/{hook['id']}")["enabled"] is False


def test_another_language_keeps_a_half_filled_form(screens: Screens, ada: Person) -> None:
    device = ada.device("words-1")
    page = screens.of(ada, f"/devices/{device['id']}?tab=commands")
    page.get_by_label("Command", exact=True).fill("reboot")
    user_menu(page, "Tiếng Việt")
    expect(page.get_by_role("heading", name="Lệnh")).to_be_visible()
    expect(page.get_by_placeholder("reboot")).to_have_value("reboot")
    page.get_by_role("tab", name="Cài đặt").click()
    page.get_by_label("Tên", exact=True).fill("Half-filled")
    user_menu(page, "English")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Half-filled")


def test_dialogs_begin_at_their_first_field(screens: Screens, ada: Person) -> None:
    page = screens.of(ada, "/devices")
    page.get_by_role("button", name="Add device").click()
    expect(page.get_by_label("Device ID")).to_be_focused()
    page.keyboard.press("Escape")
    go(page, "/shop?tab=products")
    page.get_by_role("button", name="Add product").click()
    expect(page.get_by_role("dialog").get_by_label("Name")).to_be_focused()
