"""From nothing to the first live reading, by what the pages say and nothing else."""

import subprocess

from playwright.sync_api import expect

from tests.conftest import needs
from tests.dashboard.screen import WAIT_MS, Screens, sees


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
    page.get_by_role("button", name="Close").last.click()
    expect(page.get_by_role("heading", name="My bench", level=1)).to_be_visible()
    page.get_by_role("link", name="temperature").click()
    expect(page.get_by_test_id("last-value")).to_have_text("25.5 ", timeout=WAIT_MS)
    page.get_by_role("link", name="Overview").click()
    expect(page.locator(".card", has_text="Online")).to_contain_text("1")


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
