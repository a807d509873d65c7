"""Pages of the dashboard as somebody sees them; what the browser complains of fails the test."""

import re
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.real.harness import PASSWORD, Person, Roost

WAIT_MS = 20_000
# The browser logs every refusal as an error, and a service that is away; tests read pixels.
EXPECTED = re.compile(
    r"status of (4\d\d|502|503) |ERR_CONNECTION|ERR_INTERNET_DISCONNECTED"
    r"|WebSocket connection to|willReadFrequently"
)


class Screens:
    """Everything that was opened in one test."""

    def __init__(self, browser: Browser, roost: Roost) -> None:
        self._browser = browser
        self._roost = roost
        self._contexts: list[BrowserContext] = []
        self.expected: list[str] = []  # what this test alone causes
        self.complaints: list[str] = []

    def new(self, **options: Any) -> Page:
        """A page in a browser profile of its own, at the first page."""
        page = self._page(self._profile(**options))
        page.goto(self._roost.url)
        return page

    def _profile(self, **options: Any) -> BrowserContext:
        context = self._browser.new_context(**{"locale": "en-GB", **options})
        context.set_default_timeout(WAIT_MS)
        context.set_default_navigation_timeout(WAIT_MS)
        self._contexts.append(context)
        return context

    def _page(self, context: BrowserContext) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", lambda said: self._note(said.type, said.text))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        return page

    def of(self, person: Person, path: str = "/", **options: Any) -> Page:
        """A page of somebody who is signed in, in a session of its own, at a path of the
        dashboard. (Tests of the gate sign in on its page, which takes three times as long.)"""
        context = self._profile(**options)
        account = {"email": person.email, "password": PASSWORD}
        answer = context.request.post(f"{self._roost.url}/api/v1/login/access-token", data=account)
        assert answer.ok, answer.text()
        page = self._page(context)
        page.goto(f"{self._roost.url}/#{path}")
        is_live(page)
        return page

    def _note(self, kind: str, text: str) -> None:
        expected = EXPECTED.search(text) or any(each in text for each in self.expected)
        if kind in ("error", "warning") and not expected:
            self.complaints.append(f"{kind}: {text}")

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        assert not self.complaints, self.complaints


def go(page: Page, path: str) -> None:
    page.evaluate("path => { location.hash = path }", path)


def is_live(page: Page) -> None:
    expect(page.locator("[data-link]")).to_have_attribute("data-link", "live", timeout=WAIT_MS)


def sees(page: Page, text: str) -> None:
    expect(page.get_by_text(text).first).to_be_visible(timeout=WAIT_MS)


def choose(select: Locator, text: str) -> None:
    """Choose from the list of a select, by what it shows."""
    select.click()
    options = select.page.get_by_role("listbox")
    options.get_by_role("option", name=text, exact=True).click()
    expect(options).to_have_count(0)


def from_menu(of: Page | Locator, name: str, item: str) -> None:
    """Choose from the menu of a row or a card."""
    of.get_by_role("button", name=f"Actions for {name}").click()
    page = of if isinstance(of, Page) else of.page
    page.get_by_role("menuitem", name=item, exact=True).click()


def user_menu(page: Page, item: str) -> None:
    """Choose a theme, a language or the way out."""
    page.locator("button.user").click()
    menu = page.get_by_role("menu")
    # By its key: it may still be on its way to its place.
    menu.get_by_text(item, exact=True).press("Enter")
    if menu.count():
        page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
