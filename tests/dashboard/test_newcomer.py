"""From nothing to the first live reading, by what the pages say and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.conftest import needs
from tests.dashboard.screen import WAIT_MS, Screens, sees
from tests.dashboard.test_looks import violations
from tests.real.harness import Person, eventually


def test_a_newcomer_gets_to_the_first_live_reading_by_the_page_alone(screens: Screens) -> None:
    needs("mosquitto_pub")
    page = screens.new()
    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("Email").fill("new@example.org")
    page.get_by_label("Full name").fill("Nguyễn Văn A")
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_role("button", name="Sign up").click()  # the browser holds it back
    page.get_by_label("Password", exact=True).fill("long enough")
    page.get_by_role("button", name="Sign up").click()
    sees(page, "No devices yet")
    page.get_by_role("link", name="Add device").click()
    page.get_by_role("button", name="Add device").first.click()
    page.get_by_label("Device ID").fill("bench-1")
    page.get_by_label("Name").fill("My bench")
    page.get_by_role("dialog").get_by_role("button", name="Add device").click()
    sees(page, "Waiting for data…")
    line = page.get_by_test_id("publish-line").inner_text()
    subprocess.run(["sh", "-c", line], check=True, timeout=20)
    sees(page, "Received: 25.5")
    # By its own button it closes at once.
    page.get_by_role("dialog").get_by_role("button", name="Close").last.click()
    expect(page.get_by_role("heading", name="My bench", level=1)).to_be_visible()
    page.get_by_role("link", name="temperature 25.5").click()  # its tile
    expect(page.get_by_test_id("last-value")).to_have_text("25.5 ", timeout=WAIT_MS)
    page.get_by_role("link", name="Overview").click()
    expect(page.locator(".card", has_text="Online")).to_contain_text("1")


def add_device(page: Page, code: str) -> None:
    page.get_by_role("button", name="Add device").first.click()
    page.get_by_label("Device ID").fill(code)
    page.get_by_role("dialog").get_by_role("button", name="Add device").click()
    sees(page, "Waiting for data…")


def feed_of(person: Person, code: str) -> str:
    devices = {each["device_code"]: each["id"] for each in person.get("/devices")["items"]}
    feeds = person.get("/feeds")["items"]
    return str(next(each["id"] for each in feeds if each["device_id"] == devices[code]))


def test_the_button_and_every_line_send_a_reading_of_the_device(
    screens: Screens, ada: Person
) -> None:
    curl, mosquitto = needs("curl"), needs("mosquitto_pub")
    assert curl and mosquitto
    page = screens.of(ada, "/devices")
    add_device(page, "bench-2")
    feed = feed_of(ada, "bench-2")
    page.get_by_role("button", name="Send a test reading").click()
    sees(page, "Received: 25.5")
    assert ada.values(feed) == [25.5]
    commands = {"mosquitto": ["sh", "-c"], "Python": [sys.executable, "-c"], "curl": ["sh", "-c"]}
    for sent, (tab, command) in enumerate(commands.items(), 2):
        page.get_by_role("tab", name=tab).click()
        text = page.get_by_test_id("publish-line").inner_text()
        done = subprocess.run([*command, text], timeout=20, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        eventually(lambda: ada.values(feed), ([25.5] * sent).__eq__)
    page.get_by_role("tab", name="curl").press("ArrowLeft")
    node = page.get_by_role("tab", name="Node.js")
    expect(node).to_be_focused()
    node.press("Enter")
    expect(page.get_by_test_id("publish-line")).to_contain_text("mqtt.connect(")
    page.get_by_role("tab", name="ESP32 / Arduino").click()
    expect(page.get_by_test_id("publish-line")).to_contain_text("/feeds/temperature")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    assert violations(page) == []
    device = next(each for each in ada.get("/devices")["items"] if each["device_code"] == "bench-2")
    assert device["status"] == "online"


def test_a_test_reading_that_is_refused_says_why(screens: Screens, ada: Person) -> None:
    page = screens.of(ada, "/devices")
    add_device(page, "bench-3")
    assert ada.call(
        "PATCH", f"/feeds/{feed_of(ada, 'bench-3')}", json={"enabled": False}
    ).is_success
    page.get_by_role("button", name="Send a test reading").click()
    sees(page, "Rejected: feed disabled")


def test_credentials_are_not_lost_by_a_slip_and_can_be_downloaded(
    screens: Screens, ada: Person, tmp_path: Path
) -> None:
    page = screens.of(ada, "/devices")
    add_device(page, "bench-4")
    dialog = page.get_by_role("dialog")
    for _ in range(3):  # a browser does not let its own dialog refuse twice in a row
        page.keyboard.press("Escape")
        expect(dialog.get_by_role("alert")).to_contain_text("The password won't be shown again.")
    dialog.get_by_role("button", name="Back").click()
    expect(dialog.get_by_role("alert")).to_have_count(0)
    page.mouse.click(3, 3)
    expect(dialog.get_by_role("alert")).to_be_visible()
    with page.expect_download() as downloading:
        dialog.get_by_role("alert").get_by_role("button", name="Download credentials").click()
    assert downloading.value.suggested_filename == "roost-bench-4.json"
    downloading.value.save_as(tmp_path / "login.json")
    login = json.loads((tmp_path / "login.json").read_text())["http"]
    auth = (login["username"], login["password"])
    posted = ada.http.post(f"{login['url']}/feeds/temperature", content=b"7", auth=auth)
    assert posted.json()["stored"] == 1
    page.keyboard.press("Escape")  # it is safe now
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("heading", name="bench-4", level=1)).to_be_visible()


def test_first_steps_tick_by_what_there_is_and_can_be_put_away(
    screens: Screens, bob: Person
) -> None:
    page = screens.of(bob)
    sees(page, "0 of 5 done")
    device = bob.device("first", "temperature")
    login = device["mqtt"]["username"], device["mqtt"]["password"]
    url = f"{bob.roost.url}/api/v1/ingest/feeds/temperature"
    assert bob.http.post(url, content=b"21", auth=login).json()["stored"] == 1
    for step in ("device", "reading", "live"):
        done = page.locator(f"[data-step={step}][data-done=true]")
        expect(done).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("[data-step=alarm]")).to_have_attribute("data-done", "false")
    page.get_by_role("button", name="Hide first steps").click()
    expect(page.get_by_text("First steps")).to_have_count(0)
    page.reload()
    sees(page, "Open alarms")
    expect(page.get_by_text("First steps")).to_have_count(0)


def test_errors_stand_beside_what_caused_them(screens: Screens) -> None:
    page = screens.new()
    page.get_by_label("Email").fill("nobody@example.org")
    page.get_by_label("Password", exact=True).fill("wrong password")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("password")


def test_who_forgot_a_password_learns_whom_to_ask_where_no_mail_is_sent(screens: Screens) -> None:
    page = screens.new()
    page.get_by_role("button", name="Forgot password?").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Ask your administrator to reset your password.")
    expect(dialog.get_by_label("Email")).to_have_count(0)
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Forgot password?")).to_be_focused()


def test_a_page_speaks_vietnamese(screens: Screens) -> None:
    page = screens.new()
    page.get_by_role("button", name="Tiếng Việt").click()
    expect(page.get_by_role("button", name="Đăng nhập", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "vi"
