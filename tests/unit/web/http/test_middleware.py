"""What every answer has: request ids, headers for browsers, CORS, and a bound on how many."""

from typing import Any

import pytest

from actors.adapters.memory.clocks import PlainHasher
from roost import logs
from tests.unit.site import Site
from web.app import create_app
from web.http.context import WebSettings

PAGE = "https://app.example"
ME = "/api/v1/users/me"


def again(site: Site, **settings: Any) -> None:
    """The same service behind an application with other settings."""
    web = WebSettings(jwt_secret="s" * 32, **settings)
    site.app = create_app(site.service, PlainHasher(), web)


async def test_every_answer_has_the_id_of_its_request(site: Site) -> None:
    for path in (ME, "/api/v1/nowhere", "/healthz"):
        mine = await site.raw("GET", path, headers={"X-Request-Id": "abc-1"})
        assert mine.headers["X-Request-Id"] == "abc-1"
    first, second = [(await site.raw("GET", ME)).headers["X-Request-Id"] for _ in range(2)]
    assert first != second
    odd = await site.raw("GET", ME, headers={"X-Request-Id": "x" * 65})
    assert len(odd.headers["X-Request-Id"]) < 65


async def test_what_is_logged_meanwhile_names_the_request(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.configure("info", "json")
    site.faults.away = True
    answer = await site.raw("GET", "/api/v1/devices", headers={"X-Request-Id": "night-3"})
    site.faults.away = False
    logs.flush()
    assert answer.status_code == 503
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "request failed" in line]
    assert '"request_id": "night-3"' in line


async def test_browsers_are_told_to_be_careful(site: Site) -> None:
    headers = (await site.raw("GET", ME)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in headers
    page = (await site.raw("GET", "/")).headers
    assert "default-src 'self'" in page["Content-Security-Policy"]
    again(site, public_url="https://roost.example")
    assert "max-age=" in (await site.raw("GET", ME)).headers["Strict-Transport-Security"]


async def test_pages_of_others_may_not_use_the_api(site: Site) -> None:
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    assert (await site.raw("OPTIONS", ME, headers=asks)).status_code == 405
    answer = await site.raw("GET", ME, headers={"Origin": PAGE})
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_pages_that_are_named_may(site: Site) -> None:
    again(site, cors_origins=(PAGE,))
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "PATCH"}
    allowed = await site.raw("OPTIONS", ME, headers=asks)
    assert allowed.status_code == 204
    assert "PATCH" in allowed.headers["Access-Control-Allow-Methods"]
    answer = await site.raw("GET", ME, headers={"Origin": PAGE})
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Access-Control-Allow-Credentials" not in answer.headers  # never the cookie
    assert answer.headers["Vary"] == "Origin"
    other = {**asks, "Origin": "https://evil.example"}
    assert (await site.raw("OPTIONS", ME, headers=other)).status_code == 405
    stranger = await site.raw("GET", ME, headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in stranger.headers


async def test_nobody_asks_for_more_than_their_share(site: Site) -> None:
    again(site, requests_per_s=0.5)
    statuses = [(await site.raw("GET", ME)).status_code for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    answer = await site.raw("GET", ME)
    assert 1 <= int(answer.headers["Retry-After"]) <= 2
    await site.raw("POST", "/api/v1/users", json={"email": "b@example.org", "password": "x" * 9})
    body = {"email": "b@example.org", "password": "x" * 9}
    token = await (await site.raw("POST", "/api/v1/login/access-token", json=body)).get_json()
    site.headers = {"x-auth-token": token["access_token"]}
    assert (await site.raw("GET", ME)).status_code == 200
