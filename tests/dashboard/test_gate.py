"""Signing in with Zalo, through its page and back."""

from playwright.sync_api import Browser, Route, expect

from tests.dashboard.screen import Screens, is_live, sees, user_menu
from tests.real.harness import Roost
from tests.real.test_zalo import StandIn, served, zalo

__all__ = ["served", "zalo"]  # fixtures


def test_somebody_comes_with_zalo_and_leaves_no_code_behind(
    browser: Browser, served: Roost, zalo: StandIn
) -> None:
    zalo.visitor = {"id": "7700121", "name": "Trần Mai"}
    screens = Screens(browser, served)
    page = screens.new()
    page.get_by_role("button", name="Sign in with Zalo").click()
    is_live(page)
    sees(page, "Trần Mai")
    assert "code" not in page.url
    user_menu(page, "Sign out")
    expect(page.get_by_role("button", name="Sign in with Zalo")).to_be_visible()
    screens.close()


def test_a_code_that_nobody_asked_for_signs_nobody_in(
    browser: Browser, served: Roost, zalo: StandIn
) -> None:
    zalo.people["slipped"] = {"id": "1", "name": "Mallory"}
    screens = Screens(browser, served)
    page = screens.new()
    page.goto(f"{served.url}/?code=slipped&state=x")
    expect(page.get_by_role("button", name="Sign in with Zalo")).to_be_visible()
    assert "slipped" not in page.url
    assert "slipped" in zalo.people
    screens.close()


def test_a_page_whose_part_is_gone_says_so_and_the_rest_goes_on(
    browser: Browser, served: Roost
) -> None:
    screens = Screens(browser, served)
    page = screens.of(served.user("cut"))
    page.route("**/assets/shop-*.js", lambda route: route.abort())
    page.reload()  # it may have come while the browser was idle
    is_live(page)
    page.get_by_role("link", name="Orders").click()
    sees(page, "Something went wrong")
    page.get_by_role("link", name="Alarms").click()
    sees(page, "No open alarms")
    page.unroute("**/assets/shop-*.js")
    page.get_by_role("link", name="Orders").click()
    page.get_by_role("button", name="Reload").click()
    sees(page, "No orders yet")
    screens.complaints.clear()
    screens.close()


def test_a_part_that_does_not_come_at_once_is_asked_for_again(
    browser: Browser, served: Roost
) -> None:
    screens = Screens(browser, served)
    page = screens.of(served.user("retry"))
    tries: list[str] = []

    def first_fails(route: Route) -> None:
        tries.append(route.request.url)
        if len(tries) == 1:
            route.abort()
        else:
            route.continue_()

    page.route("**/assets/shop-*.js", first_fails)
    page.goto(f"{served.url}/#/shop")
    page.reload()
    sees(page, "No orders yet")
    assert len(tries) > 1
    # What was not opened yet came while the browser was idle.
    page.wait_for_function(
        "() => performance.getEntriesByType('resource').some((e) => /settings-.*js/.test(e.name))"
    )
    screens.complaints.clear()
    screens.close()
