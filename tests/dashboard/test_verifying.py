"""The banner about an address that is not verified, and where the link of a mail leads.

The server of these tests sends no mail: what mail would change is answered here.
"""

from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.dashboard.screen import Screens, go, is_live, sees
from tests.real.harness import PASSWORD, Roost


def with_mail(page: Page) -> None:
    """The page believes that mail is set up."""

    def site(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "sends_mail": True})

    page.route("**/api/v1/site", site)
    page.route(
        "**/email-verification/request",
        lambda route: route.fulfill(status=202, headers={"Content-Length": "0"}),
    )


def test_somebody_verifies_her_address_with_the_link_of_a_mail(
    screens: Screens, roost: Roost
) -> None:
    liv = roost.user("liv")
    page = screens.of(liv)
    expect(page.locator(".banner")).to_have_count(0)  # no mail, no banner
    with_mail(page)
    go(page, "/verify/token-of-the-link")
    page.reload()
    banner = page.locator(".banner")
    expect(banner).to_contain_text(f"open the link we emailed to {liv.email}")
    banner.get_by_role("button", name="Send again").click()
    sees(page, "We've emailed you a link.")
    verify = page.get_by_role("button", name=f"Verify {liv.email}")
    verify.click()
    expect(page.get_by_role("alert")).to_contain_text("The link has expired")
    shown: list[Any] = []

    def verified(route: Route) -> None:
        shown.append(route.request.post_data_json)
        route.fulfill(json={**liv.get("/users/me"), "email_verified": True})

    page.route("**/api/v1/email-verification", verified)
    verify.click()
    sees(page, f"The email address {liv.email} is verified.")
    expect(banner).to_have_count(0)
    assert shown == [{"token": "token-of-the-link"}]


def test_a_link_waits_until_somebody_has_signed_in(screens: Screens, roost: Roost) -> None:
    mia = roost.user("mia")
    page = screens.new()
    with_mail(page)
    go(page, "/verify/token-of-the-link")
    page.reload()
    sees(page, "Sign in to verify your email address.")
    page.get_by_label("Email").fill(mia.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    is_live(page)
    expect(page.get_by_role("button", name=f"Verify {mia.email}")).to_be_visible()
