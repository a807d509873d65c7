"""Somebody works with the keyboard alone: the focus is always where she goes on."""

from playwright.sync_api import Page, expect

from tests.dashboard.screen import Screens, go
from tests.real.harness import DeviceClient, Person, Roost, eventually


def focused(page: Page) -> str:
    """The tag and the label of what has the focus."""
    script = """
    () => {
      const it = document.activeElement;
      return `${it.tagName} ${it.getAttribute("aria-label") || it.textContent.trim()}`;
    }
    """
    found: str = page.evaluate(script)
    return found


def test_a_dialog_gives_the_focus_back_to_what_opened_it(screens: Screens, ada: Person) -> None:
    device = ada.device("opener")
    page = screens.of(ada, f"/devices/{device['id']}")
    opener = page.get_by_role("button", name="Delete opener")
    for leave in ("Cancel", "Close"):
        opener.press("Enter")
        page.get_by_role("dialog").get_by_role("button", name=leave).press("Enter")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(opener).to_be_focused()
    renew = page.get_by_role("button", name="Regenerate credentials")
    renew.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").press("Enter")
    expect(renew).to_be_focused()


def delete(page: Page, name: str) -> None:
    page.get_by_role("button", name=f"Actions for {name}").press("Enter")
    page.get_by_role("menuitem", name="Delete").press("Enter")


def test_what_is_deleted_leaves_the_focus_beside_it(screens: Screens, ada: Person) -> None:
    for name in ("first", "second"):
        ada.post("/api-keys", {"name": name, "scope": "read"})
    page = screens.of(ada, "/settings?tab=keys")
    delete(page, "first")
    page.get_by_role("dialog").get_by_role("button", name="Delete").press("Enter")
    expect(page.get_by_role("row", name="first")).to_have_count(0)
    eventually(lambda: focused(page), lambda it: it == "DIV API keys")
    delete(page, "second")
    page.get_by_role("dialog").get_by_role("button", name="Delete").press("Enter")
    expect(page.get_by_text("No API keys yet")).to_be_visible()
    eventually(lambda: focused(page), lambda it: it == "H1 Settings")


def test_a_button_keeps_the_focus_while_it_works(
    screens: Screens, roost: Roost, ada: Person
) -> None:
    device = ada.device("two-alarms", "a", "b", max_value=50, on_violation="flag")
    client = DeviceClient(roost, device["mqtt"])
    client.publish("feeds", {"a": 60, "b": 70})
    client.close()
    eventually(lambda: len(ada.get("/alarms", state="active")["items"]) == 2)
    page = screens.of(ada, f"/devices/{device['id']}?tab=settings")
    save = page.get_by_role("button", name="Save", exact=True)
    page.get_by_label("Name", exact=True).fill("Two alarms")
    save.press("Enter")
    expect(page.get_by_role("heading", name="Two alarms", level=1)).to_be_visible()
    expect(save).to_be_focused()
    go(page, "/alarms")
    expect(page.get_by_role("heading", name="Alarms", level=1)).to_be_focused()
    page.get_by_role("button", name="Acknowledge", exact=True).first.press("Enter")
    expect(page.get_by_role("row", name="Acknowledged")).to_have_count(1)
    eventually(lambda: focused(page), lambda it: it == "DIV Alarms")


def test_a_choice_between_two_values_ends_in_its_field(screens: Screens, ada: Person) -> None:
    device = ada.device("choice")
    page = screens.of(ada, f"/devices/{device['id']}?tab=settings")
    silence = page.get_by_label("Mark offline after")
    silence.fill("600")
    body = {"offline_after_s": 120}
    assert ada.call("PATCH", f"/devices/{device['id']}", json=body).status_code == 200
    page.get_by_role("button", name="Use theirs").press("Enter")
    expect(silence).to_have_value("120")
    expect(silence).to_be_focused()


def test_menus_close_by_escape_and_give_the_focus_back(screens: Screens, ada: Person) -> None:
    page = screens.of(ada, viewport={"width": 390, "height": 844})
    bell = page.locator(".bell")
    bell.press("Enter")
    expect(page.get_by_role("link", name="Show all alarms")).to_be_visible()
    page.get_by_role("link", name="Show all alarms").press("Escape")
    expect(page.get_by_role("link", name="Show all alarms")).to_have_count(0)
    expect(bell).to_be_focused()
    bell.press("Enter")
    page.locator(".side").click(position={"x": 160, "y": 10})
    expect(page.get_by_role("link", name="Show all alarms")).to_have_count(0)
    menu = page.get_by_role("button", name="Menu")
    menu.press("Enter")
    page.get_by_role("link", name="Orders").press("Escape")
    expect(menu).to_be_focused()
    expect(menu).to_have_attribute("aria-expanded", "false")
    menu.press("Enter")
    page.get_by_role("link", name="Orders").press("Enter")
    expect(page.get_by_role("heading", name="Shop", level=1)).to_be_focused()
