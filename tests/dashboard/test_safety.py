"""What a page may load and keep, and that nobody's text runs in it."""

import json
from typing import Any

from playwright.sync_api import Page

from tests.dashboard.screen import Screens, go, is_live, sees
from tests.real.harness import PASSWORD, DeviceClient, Person, Roost

SCRIPT_BYTES_MAX = 250_000
EVIL = "<img src=x onerror=\"alert('x')\"><script>alert(1)</script>"
PAGES = ("/", "/map", "/devices", "/schedules", "/media", "/alarms", "/shop", "/settings")


def test_the_policy_allows_files_of_ours_and_nothing_else(screens: Screens, roost: Roost) -> None:
    page = screens.new()
    answer = page.request.get(roost.url)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'self';")
    assert "<script>" not in answer.text()
    assert "style=" not in answer.text()
    # The policy is not only said: a script that slips in does not run.
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran=1\">')"
    )
    # A function: an expression would be parsed anew at each look, which the policy forbids.
    page.wait_for_function("() => document.images.length > 0 && document.images[0].complete")
    assert page.evaluate("window.ran") is None
    screens.complaints.clear()


def test_scripts_are_small_and_no_token_is_anywhere(
    screens: Screens, roost: Roost, ada: Person
) -> None:
    page = screens.new()
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    scripts: set[str] = set()
    sizes: list[int] = []

    def answered(event: dict[str, Any]) -> None:
        if event["type"] == "Script":
            scripts.add(event["requestId"])

    def finished(event: dict[str, Any]) -> None:
        if event["requestId"] in scripts:
            sizes.append(int(event["encodedDataLength"]))

    session.on("Network.responseReceived", answered)
    session.on("Network.loadingFinished", finished)
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.on("websocket", lambda socket: urls.append(socket.url))
    page.reload()
    page.wait_for_selector("form")
    sign_in(page, ada)
    is_live(page)
    page.wait_for_load_state("networkidle")
    assert sizes
    assert sum(sizes) <= SCRIPT_BYTES_MAX
    assert all(url.startswith((roost.url, roost.url.replace("http", "ws"))) for url in urls)
    kept = page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    )
    (cookie,) = [c for c in page.context.cookies() if c.get("name") == "roost_token"]
    assert cookie.get("httpOnly")
    token = cookie.get("value", "x")
    assert token not in kept
    assert not any(token in url or "token=" in url for url in urls)


def sign_in(page: Page, person: Person) -> None:
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_no_text_of_anybody_runs(screens: Screens, roost: Roost, ada: Person) -> None:
    made = ada.post("/devices", {"device_code": "evil", "name": EVIL})
    feeds = {
        kind: ada.post(
            "/feeds",
            {
                "key": kind,
                "name": EVIL,
                "device_id": made["id"],
                "kind": kind,
                "unit": "<b>x</b>",
                **({"max_value": 1} if kind == "number" else {}),
            },
        )["id"]
        for kind in ("number", "text")
    }
    files = {"file": ("<img src=x onerror=alert(2)>.txt", b"hello", "text/plain")}
    assert ada.call("POST", "/media", files=files).status_code == 201
    ada.post("/products", {"name": EVIL, "sku": EVIL[:60], "price": "1", "stock": 1})
    ada.call("PATCH", "/users/me", json={"full_name": EVIL})
    client = DeviceClient(roost, made["mqtt"])
    place = {"latitude": 1, "longitude": 1, "firmware": EVIL}
    client.publish("status", {"status": "<b>hot</b>", **place})
    client.publish("feeds/text", json.dumps(EVIL))
    client.publish("feeds/number", 2)
    client.publish("feeds/unknown", EVIL)
    command = ada.post(f"/devices/{made['id']}/commands", {"type": "x", "payload": {"a": EVIL}})
    client.publish(f"commands/{command['id']}/ack", {"status": "failed", "detail": EVIL})
    page = screens.of(ada)
    tabs = ("", "?tab=commands", "?tab=messages", "?tab=settings")
    devices = (f"/devices/{made['id']}{tab}" for tab in tabs)
    paths = (*PAGES, *devices, *(f"/feeds/{feed}" for feed in feeds.values()))
    for path in paths:
        go(page, path)
        page.wait_for_load_state("networkidle")
        page.wait_for_selector("h1")
        assert page.locator("img[src='x']").count() == 0, path
        assert page.locator("main b").count() == 0, path
    go(page, f"/devices/{made['id']}?tab=commands")
    sees(page, EVIL)
    client.close()
