"""Changes of the account, made by somebody who goes on working."""

import re
import zipfile

from playwright.sync_api import Page, Request, expect

from tests.dashboard.screen import Screens, go, is_live, sees
from tests.real.harness import PASSWORD, DeviceClient, Person, Roost

OTHER = "another-horse"


def new_password(page: Page, old: str, new: str) -> None:
    form = page.locator("form", has=page.get_by_role("button", name="Update password"))
    form.get_by_label("Current password").fill(old)
    form.get_by_label("New password").fill(new)
    form.get_by_role("button", name="Update password").click()


def test_somebody_changes_her_password_and_goes_on(screens: Screens, roost: Roost) -> None:
    eve = roost.user("eve")
    device = eve.device("goes-on", "t")
    page = screens.of(eve, "/settings")
    page.evaluate("() => { window.isSamePage = true }")
    with page.expect_websocket() as socket:
        new_password(page, PASSWORD, OTHER)
    assert "/ws/devices" in socket.value.url
    sees(page, "Saved")
    is_live(page)
    # The form shows the next version of the account, and saves over it.
    page.get_by_label("Full name").fill("Eve")
    with page.expect_request(lambda asked: asked.method == "PATCH") as asked:
        page.get_by_role("button", name="Save", exact=True).click()
    assert asked.value.headers["if-match"] == '"2"'
    expect(page.locator(".side")).to_contain_text("Eve")
    go(page, "/devices")
    client = DeviceClient(roost, device["mqtt"])
    client.publish("status", {"status": "online", "temperature": 21.5})
    client.close()
    expect(page.locator('[data-device="goes-on"]')).to_contain_text("21.5 °C")
    assert page.evaluate("window.isSamePage")
    # What she asks for is answered, with the next cookie.
    go(page, "/settings?tab=sessions")
    sees(page, "This device")
    eve.token = ""
    account = {"email": eve.email, "password": OTHER}
    eve.token = eve.post("/login/access-token", account)["access_token"]


def test_another_tab_of_the_same_browser_goes_on_too(screens: Screens, roost: Roost) -> None:
    kim = roost.user("kim")
    device = kim.device("second-tab")
    page = screens.of(kim, "/settings")
    other = page.context.new_page()
    other.goto(f"{roost.url}/#/devices/{device['id']}?tab=settings")
    is_live(other)
    name = other.get_by_label("Name", exact=True)
    name.fill("Half a na")
    with other.expect_websocket():
        new_password(page, PASSWORD, OTHER)
    is_live(other)
    expect(name).to_have_value("Half a na")
    other.get_by_role("button", name="Save", exact=True).click()
    expect(other.get_by_role("heading", name="Half a na", level=1)).to_be_visible()


def test_another_email_keeps_the_page_live(screens: Screens, roost: Roost) -> None:
    joe = roost.user("joe")
    page = screens.of(joe, "/settings")
    form = page.locator("form", has=page.get_by_role("button", name="Update email"))
    form.get_by_label("Email").fill("joe.new@example.org")
    form.get_by_label("Current password").fill(PASSWORD)
    form.get_by_role("button", name="Update email").click()
    expect(page.locator(".side")).to_contain_text("joe.new@example.org")
    is_live(page)
    expect(form.get_by_label("Current password")).to_have_value("")
    with page.expect_websocket():
        new_password(page, PASSWORD, OTHER)
    is_live(page)


def test_nothing_is_called_saved_that_was_not_sent(screens: Screens, ada: Person) -> None:
    device = ada.device("unchanged")
    page = screens.of(ada, f"/devices/{device['id']}?tab=settings")
    sent: list[Request] = []
    page.on("request", lambda asked: sent.append(asked) if asked.method == "PATCH" else None)
    page.get_by_role("button", name="Save", exact=True).click()
    sees(page, "No changes to save")
    page.get_by_label("Name", exact=True).fill("changed")
    expect(page.get_by_text("No changes to save")).to_have_count(0)
    go(page, "/settings")
    form = page.locator("form", has=page.get_by_role("button", name="Update email"))
    form.get_by_label("Current password").fill(PASSWORD)
    form.get_by_label("Also revoke").check()
    form.get_by_role("button", name="Update email").click()
    sees(page, "No changes to save")
    expect(form.get_by_label("Also revoke")).to_be_checked()
    expect(page.get_by_text(re.compile("^Saved"))).to_have_count(0)
    assert sent == []


def test_somebody_takes_her_data_along_and_deletes_her_account(
    screens: Screens, roost: Roost
) -> None:
    zoe = roost.user("zoe")
    zoe.device("left-behind", "t")
    page = screens.of(zoe, "/settings")
    with page.expect_download() as export:
        page.get_by_role("link", name="Export my data").click()
    with zipfile.ZipFile(export.value.path()) as found:
        assert b"left-behind" in found.read("devices.ndjson")
    page.get_by_role("button", name="Delete account").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This can't be undone.")
    for password in ("wrong-horse", PASSWORD):
        dialog.get_by_label("Current password").fill(password)
        dialog.get_by_role("button", name="Delete account").click()
        if password != PASSWORD:
            expect(dialog).to_contain_text("incorrect")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    assert zoe.call("GET", "/devices").status_code == 401
