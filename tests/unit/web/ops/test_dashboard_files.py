"""How the dashboard's files are served, and what is there without them."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from quart_trio import QuartTrio

from actors.adapters.memory.clocks import PlainHasher
from protocol.errors import SettingsError
from roost.map_tiles import OSM, chosen_tiles
from roost.settings import check_tiles
from roost.web_options import WebOptions
from tests.unit.site import Site
from web.app import create_app
from web.http.bounds import Bounds
from web.http.context import WebSettings
from web.ops import dashboard_files

SETTINGS = WebSettings(jwt_secret="x" * 32, mqtt_url="mqtt://127.0.0.1:1883")


class Unsent:
    async def send(self, to: str, subject: str, text: str) -> None:
        raise AssertionError(to)


def served(built: Path, settings: WebSettings = SETTINGS) -> Any:
    app = QuartTrio("test", static_folder=None)
    dashboard_files.install(app, settings, built)
    return app.test_client()


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Roost</title>")
    (tmp_path / "assets" / "index-abc.js").write_text("let answer = 42;\n" * 100)
    (tmp_path / "assets" / "layers-abc.png").write_bytes(b"\x89PNG")
    (tmp_path / "assets" / "inter-abc.woff2").write_bytes(b"wOF2")
    return tmp_path


async def test_the_first_page_is_asked_for_again_and_runs_files_of_ours_only(built: Path) -> None:
    answer = await served(built).get("/")
    assert await answer.get_data(as_text=True) == "<!doctype html><title>Roost</title>"
    assert answer.headers["Cache-Control"] == "no-cache"
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "img-src 'self' data: blob:;" in policy


async def test_assets_are_kept_for_ever_and_compressed_for_who_takes_it(built: Path) -> None:
    client = served(built)
    plain = await client.get("/assets/index-abc.js")
    assert plain.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in plain.headers["Cache-Control"]
    assert "Content-Encoding" not in plain.headers
    small = await client.get("/assets/index-abc.js", headers={"Accept-Encoding": "br, gzip"})
    assert small.headers["Content-Encoding"] == "gzip"
    assert small.headers["Vary"] == "Accept-Encoding"
    data = await small.get_data(as_text=False)
    assert len(data) < 200
    assert gzip.decompress(data) == await plain.get_data(as_text=False)
    face = await client.get("/assets/inter-abc.woff2", headers={"Accept-Encoding": "gzip"})
    assert face.headers["Content-Type"] == "font/woff2"
    assert "Content-Encoding" not in face.headers  # it is compressed in itself
    picture = await client.get("/assets/layers-abc.png", headers={"Accept-Encoding": "gzip"})
    assert picture.headers["Content-Type"] == "image/png"
    assert "Content-Encoding" not in picture.headers


async def test_what_the_build_compressed_is_served_as_it_is(built: Path) -> None:
    (built / "assets" / "world-abc.json").write_text("{}")
    (built / "assets" / "world-abc.json.gz").write_bytes(b"as the build made it")
    client = served(built)
    small = await client.get("/assets/world-abc.json", headers={"Accept-Encoding": "gzip"})
    assert await small.get_data(as_text=False) == b"as the build made it"
    assert await (await client.get("/assets/world-abc.json")).get_data(as_text=True) == "{}"
    assert (await client.get("/assets/world-abc.json.gz")).status_code == 404


async def test_who_mistyped_an_address_gets_the_page_and_a_program_gets_a_problem(
    built: Path,
) -> None:
    client = served(built)
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = await client.get("/devices", headers=browser)
    assert page.status_code == 404
    assert "<title>Roost</title>" in await page.get_data(as_text=True)
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    for path, headers in (
        ("/devices", {}),
        ("/devices", {"Accept": "*/*"}),
        ("/api/v1/nothing", browser),
        ("/assets/nothing/x.js", browser),
    ):
        problem = await client.get(path, headers=headers)
        assert problem.status_code == 404
        assert problem.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["nothing.js", "..%2Findex.html", "%2e%2e"])
async def test_nothing_else_is_served(built: Path, name: str) -> None:
    assert (await served(built).get(f"/assets/{name}")).status_code == 404


async def test_without_the_build_the_first_page_says_how_to_make_it(tmp_path: Path) -> None:
    answer = await served(tmp_path).get("/")
    text = await answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "make setup" in text
    assert "mqtt://127.0.0.1:1883" in text


async def test_pictures_may_come_from_the_map_server_that_was_set(built: Path) -> None:
    url = check_tiles("https://{s}.tiles.example/{z}/{x}/{y}.png?key=1")
    settings = WebSettings(jwt_secret="x" * 32, map_tiles_url=url)
    policy = (await served(built, settings).get("/")).headers["Content-Security-Policy"]
    assert "img-src 'self' data: blob: https://*.tiles.example;" in policy


@pytest.mark.parametrize(
    "template",
    [
        "https://tiles.example/{z}/{x}.png",
        "ftp://tiles.example/{z}/{x}/{y}",
        "https://tiles.example/{z}/{x}/{y}; script-src *",
        "https://tiles.example *.evil/{z}/{x}/{y}",
        "https://a'b/{z}/{x}/{y}",
    ],
)
def test_a_template_that_is_none_or_would_bend_the_policy_is_refused(template: str) -> None:
    with pytest.raises(SettingsError, match="map tiles url"):
        check_tiles(template)


async def test_openstreetmap_is_one_step_that_keeps_its_rules(built: Path, site: Site) -> None:
    plain, osm = (WebOptions(map_tiles=name).settings(Bounds()) for name in (None, "osm"))
    assert "openstreetmap" not in dashboard_files.content_policy(plain)
    policy = (await served(built, osm).get("/")).headers["Content-Security-Policy"]
    assert "img-src 'self' data: blob: https://tile.openstreetmap.org;" in policy
    site.app = create_app(site.service, PlainHasher(), osm)
    said = (await site.call("GET", "/site"))[1]
    assert said["map_tiles_url"] == "https://tile.openstreetmap.org/{z}/{x}/{y}.png"
    assert said["map_attribution"] == "© OpenStreetMap contributors"
    assert said["map_attribution_url"] == "https://www.openstreetmap.org/copyright"
    assert said["map_zoom_max"] == 19


@pytest.mark.parametrize(
    ("name", "url", "credit", "link"),
    [
        ("google", None, "", None),
        ("osm", "https://tiles.example/{z}/{x}/{y}.png", "", None),
        ("osm", None, "mine", None),
        (None, None, "", "javascript:alert(1)"),
        (None, None, "", "javascript://x/%0aalert(1)"),
    ],
)
def test_tiles_that_contradict_each_other_are_refused(
    name: str | None, url: str | None, credit: str, link: str | None
) -> None:
    with pytest.raises(SettingsError, match="map"):
        chosen_tiles(name, url, credit, link, 19)
    assert chosen_tiles("osm", None, "", None, 19) is OSM


async def test_a_stranger_learns_what_the_first_page_needs(site: Site) -> None:
    site.headers.clear()
    status, said = await site.call("GET", "/site")
    assert status == 200
    assert said["signup_open"] is True
    assert said["zalo"] is None
    assert said["media_bytes_max"] > 0
    assert said["sends_mail"] is False
    site.service.mailer = Unsent()
    assert (await site.call("GET", "/site"))[1]["sends_mail"] is False  # a link leads nowhere yet
    settings = WebSettings(jwt_secret="s" * 32, public_url="https://roost.example")
    site.app = create_app(site.service, PlainHasher(), settings)
    assert (await site.call("GET", "/site"))[1]["sends_mail"] is True
