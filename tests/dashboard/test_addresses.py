"""What is shown is in the address; titles and focus follow it."""

import subprocess

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.dashboard.screen import Screens, choose, go, is_live, sees
from tests.real.harness import Person, Roost


@pytest.fixture
def page(screens: Screens, ada: Person) -> Page:
    return screens.of(ada)


def test_filters_and_tabs_survive_back_and_reload(page: Page, ada: Person) -> None:
    for code, name in (("lamp-10", "Đèn 10"), ("lamp-2", "Đèn 2"), ("pump", "Bơm")):
        ada.post("/devices", {"device_code": code, "name": name})
    go(page, "/devices")
    page.get_by_role("searchbox").fill("den")
    rows = page.locator("[data-device]")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Đèn 2")
    choose(page.get_by_label("Status"), "Offline")
    page.get_by_role("link", name="Đèn 10").click()
    expect(page.get_by_role("heading", name="Đèn 10", level=1)).to_be_focused()
    expect(page).to_have_title("Đèn 10 – Roost")
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("den")
    page.reload()
    expect(rows).to_have_count(2)
    expect(page.get_by_label("Status")).to_have_text("Offline")
    go(page, "/settings")
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_focused()
    page.get_by_role("tab", name="Sessions").click()
    page.get_by_role("tab", name="API keys").click()
    page.go_back()
    sees(page, "This device")
    page.reload()
    sees(page, "This device")


def test_an_unknown_address_shows_a_page(page: Page, roost: Roost) -> None:
    go(page, "/nothing")
    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    answer = page.goto(f"{roost.url}/nowhere")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    page.goto(f"{roost.url}/devices")
    expect(page.get_by_role("heading", name="Devices")).to_be_visible()
    page.get_by_role("link", name="Overview").click()
    expect(page).to_have_title("Overview – Roost")
    program = page.request.get(f"{roost.url}/nowhere", headers={"Accept": "*/*"})
    assert program.headers["content-type"] == "application/problem+json"
    program = page.request.get(f"{roost.url}/api/v1/x", headers={"Accept": "text/html"})
    assert program.headers["content-type"] == "application/problem+json"


def test_it_is_not_live_without_a_network(page: Page) -> None:
    is_live(page)
    page.context.set_offline(True)
    expect(page.locator("[data-link]")).not_to_have_attribute("data-link", "live", timeout=2_000)
    expect(page.locator(".banner")).to_contain_text("Connection lost")
    page.context.set_offline(False)
    is_live(page)
    expect(page.locator(".banner")).to_have_count(0)


DROP = """
() => {
  const data = new DataTransfer();
  data.items.add(new File(["x"], "beside.txt"));
  const drop = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  return document.querySelector("h1").dispatchEvent(drop);
}
"""


def test_files_stay_out_of_the_way_and_a_refused_one_is_named(page: Page) -> None:
    go(page, "/media")
    expect(page.get_by_role("heading", name="Media")).to_be_visible()
    # False: the browser does not show the file instead of the page.
    assert page.evaluate(DROP) is False
    file = FilePayload(name="promo.exe", mimeType="image/png", buffer=b"MZ\x00\x01\x02\xff")
    page.get_by_label("Drag files here").set_input_files([file])
    expect(page.locator(".toast.bad")).to_contain_text("promo.exe: ")


def test_the_listeners_line_works_as_shown_and_new_credentials_are_asked_for_twice(
    page: Page, roost: Roost
) -> None:
    go(page, "/settings?tab=listener")
    page.get_by_role("button", name="Create credentials").click()
    line = page.get_by_test_id("subscribe-line").inner_text()
    assert f"-h 127.0.0.1 -p {roost.mqtt_port}" in line
    done = subprocess.run(["sh", "-c", f"{line} -E"], check=False, timeout=20)
    assert done.returncode == 0
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Regenerate credentials").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Connected clients will be disconnected")
    dialog.get_by_role("button", name="Cancel").click()
    again = subprocess.run(["sh", "-c", f"{line} -E"], check=False, timeout=20)
    assert again.returncode == 0
    page.get_by_role("button", name="Regenerate credentials").click()
    dialog.get_by_role("button", name="Regenerate credentials").click()
    expect(page.get_by_test_id("subscribe-line")).not_to_have_text(line)
