"""The map: its own ground, clusters, the card at the pointer, the list beside it, and what may be
loaded from where."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.screen import Screens
from tests.dashboard.test_looks import violations
from tests.real.harness import DeviceClient, Person, Roost, eventually

MAP = "canvas[data-drawn]"
GIF = bytes.fromhex("47494638396101000100800000000000ffffff2c00000000010001000002024401003b")
# Around Hanoi: two at one place, three in the same quarter, one in Hue.
PLACES = {
    "gate-1": (21.0300, 105.8500),
    "gate-2": (21.0300, 105.8500),
    "lake": (21.0350, 105.8520),
    "hue": (16.4637, 107.5909),
}


@pytest.fixture(scope="module", autouse=True)
def fleet(roost: Roost, ada: Person) -> dict[str, Any]:
    devices = {}
    for code, (latitude, longitude) in PLACES.items():
        devices[code] = ada.device(code, "t", max_value=50, on_violation="flag")
        client = DeviceClient(roost, devices[code]["mqtt"])
        state = "offline" if code == "lake" else "online"
        body = {"status": state, "latitude": latitude, "longitude": longitude}
        client.publish("feeds/t", 99 if code == "hue" else 20)
        client.publish("status", {**body, "temperature": 21.5})
        client.close()
    eventually(lambda: ada.get("/alarms")["items"])
    return devices


def opened(screens: Screens, person: Person, **options: Any) -> Page:
    page = screens.of(person, "/map", **{"viewport": {"width": 1360, "height": 860}, **options})
    expect(page.locator(MAP)).to_have_attribute("data-drawn", "4")
    return page


def test_the_ground_is_roosts_own_and_has_names(screens: Screens, ada: Person) -> None:
    asked: list[str] = []
    page = screens.of(ada)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page.url.partition("#")[0] + "#/map")
    names = page.locator("canvas.names")
    expect(names).to_have_attribute("data-names", re.compile(r"^[1-9]\d*$"))
    origin = page.url.partition("/#")[0]
    assert any("/assets/12-" in url for url in asked)
    assert all(url.startswith((origin, "data:", "blob:")) for url in asked), asked


def test_a_cluster_opens_and_those_of_one_place_are_listed(screens: Screens, ada: Person) -> None:
    page = opened(screens, ada)
    canvas = page.locator(MAP)
    expect(canvas).to_have_attribute("data-clusters", "1")
    beside = page.get_by_role("region", name="Devices on the map")
    expect(beside.get_by_role("listitem")).to_have_count(4)
    # What has an alarm comes first, and says so.
    expect(beside.get_by_role("listitem").first).to_contain_text("hue")
    expect(beside.get_by_role("listitem").first).to_contain_text("Alarm")
    # By the keyboard: the search finds all, and Enter goes there.
    search = beside.get_by_role("searchbox")
    search.fill("GATE-1")
    expect(beside.get_by_role("listitem")).to_have_count(1)
    search.press("Enter")
    expect(beside.get_by_role("heading", name="gate-1")).to_be_visible()
    expect(beside.get_by_role("group", name="gate-1")).to_contain_text("20")
    search.fill("")
    # In the middle now, with the other at the same place and the lake beside it.
    box = page.locator(".map").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    expect(page.locator(".hovered")).to_contain_text("3 devices")
    page.mouse.click(*middle)
    expect(canvas).to_have_attribute("data-drawn", "3")
    expect(canvas).to_have_attribute("data-clusters", "1")
    expect(beside.get_by_role("listitem")).to_have_count(3)
    assert not violations(page)


def test_the_list_follows_the_map_and_the_card_tells_of_a_device(
    screens: Screens, ada: Person
) -> None:
    page = opened(screens, ada)
    beside = page.get_by_role("region", name="Devices on the map")
    beside.get_by_role("button", name="hue").click()
    expect(beside.get_by_role("status")).to_contain_text("1 of 4 devices in view")
    box = page.locator(".map").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    card = page.locator(".hovered")
    for text in ("hue", "Online", "Alarm", "21.5 °C", "99"):
        expect(card).to_contain_text(text)
    page.mouse.move(5, 5)
    expect(card).to_have_count(0)


def test_a_tile_server_hears_where_the_page_is_and_only_when_it_is_set(
    screens: Screens, roost: Roost, ada: Person
) -> None:
    page = screens.of(ada)
    heard: list[str | None] = []

    def site(route: Any) -> None:
        said = route.fetch()
        tiles = {
            "map_tiles_url": f"{roost.url}/tiles/{{z}}/{{x}}/{{y}}.png",
            "map_attribution": "© OpenStreetMap contributors",
            "map_attribution_url": "https://www.openstreetmap.org/copyright",
        }
        route.fulfill(response=said, json={**said.json(), **tiles})

    def tile(route: Any) -> None:
        heard.append(route.request.all_headers().get("referer"))
        route.fulfill(status=200, content_type="image/gif", body=GIF)

    page.route("**/api/v1/site", site)
    page.route("**/tiles/**", tile)
    page.reload()
    page.goto(f"{roost.url}/#/map")
    credit = page.get_by_role("link", name="© OpenStreetMap contributors")
    expect(credit).to_have_attribute("href", "https://www.openstreetmap.org/copyright")
    eventually(lambda: heard)
    assert heard[0] is not None
    assert heard[0].startswith(roost.url)
    assert page.locator("canvas.names").count() == 0
