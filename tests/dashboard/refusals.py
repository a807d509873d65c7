"""Forms of somebody who reads Vietnamese, and what they show when they are refused."""

import re
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page, Response, expect

from tests.dashboard.screen import Screens, user_menu
from tests.real.harness import Person

API_NAME = re.compile(r"\b[a-z]+_[a-z_]+\b|U\+0000|\b(str|int|float|null)\b")
ENGLISH = re.compile(
    r"\b(is|must|cannot|the|not|already|only|have|at most|found|please|fill|invalid|Error)\b", re.I
)


@dataclass
class Form:
    """A form in Vietnamese, found by its fields; what the API answers is kept."""

    page: Page
    has: str
    said: list[dict[str, Any]]

    def refuse(self, expected: str, **fields: str) -> None:
        """Fill it in and send it. It is refused with this text, and no other."""
        form = self.page.locator(f"form:has([name={self.has}])").last
        for name, value in fields.items():
            field = form.locator(f"[name={name}]")
            # Of a list or a box to tick, the browser sends a hidden field, behind what is seen.
            seen = field.locator("xpath=preceding-sibling::button[1]")
            if field.get_attribute("aria-hidden") != "true":
                field.fill(value)
            elif field.get_attribute("type") == "checkbox":
                seen.set_checked(value == "on")
            else:
                seen.click()
                self.page.locator(f"[data-option='{value}']").click()
        self.said.clear()
        form.locator("button[type=submit]").click()
        expect(form.get_by_role("alert").filter(has_text=expected)).to_be_visible()
        expect(form.locator("button[type=submit]")).to_be_enabled()
        check_words(self.page, self.said, [expected])


def check_words(page: Page, said: list[dict[str, Any]], expected: list[str]) -> None:
    """What the page shows as wrong is exactly this, in Vietnamese."""
    messages = page.locator(".problem:visible, .toast:visible p").all_inner_texts()
    assert messages == expected
    shown = page.locator("body").inner_text()
    for message in messages:
        assert shown.count(message) == 1, message
        assert not API_NAME.search(message), message
        assert not ENGLISH.search(message), message
    for problem in said:
        for english in (problem["detail"], *problem.get("errors", {}).values()):
            assert english not in shown


class Vietnamese:
    """Pages of somebody who reads Vietnamese."""

    def __init__(self, screens: Screens) -> None:
        self._screens = screens

    def page(self, person: Person | None, path: str = "/") -> Page:
        if person is None:
            page = self._screens.new()
            page.get_by_role("button", name="Tiếng Việt").click()
            return page
        page = self._screens.of(person, path)
        user_menu(page, "Tiếng Việt")
        expect(page.locator("html")).to_have_attribute("lang", "vi")
        return page

    def form(self, page: Page, has: str) -> Form:
        said: list[dict[str, Any]] = []

        def hear(answer: Response) -> None:
            if answer.status >= 400 and "problem+json" in answer.headers.get("content-type", ""):
                said.append(answer.json())

        page.on("response", hear)
        return Form(page, has, said)
