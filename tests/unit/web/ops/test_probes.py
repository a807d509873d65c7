"""What the public address tells when operators have one of their own; and security.txt."""

import gzip
import json
from typing import Any

import pytest
import trio

from actors.adapters.memory.clocks import PlainHasher
from protocol.errors import SettingsError, Unavailable
from protocol.times import parse_rfc3339
from roost.settings import check_contact
from tests.unit.site import Site
from web.app import create_app
from web.http.context import WebSettings
from web.ops.operations import SECURITY_TXT
from web.ops.probes import operators_app


def settings(**more: Any) -> WebSettings:
    return WebSettings(jwt_secret="s" * 32, **more)


async def test_with_an_address_of_their_own_only_operators_see_what_is_wrong(site: Site) -> None:
    assert (await site.raw("GET", "/metrics")).status_code == 200
    operators = operators_app()
    site.app = create_app(site.service, PlainHasher(), settings(), operators=operators)
    assert (await site.raw("GET", "/healthz")).status_code == 200
    public = await site.raw("GET", "/readyz")
    assert (await public.get_json())["checks"] == {}
    assert (await site.raw("GET", "/metrics")).status_code == 404
    site.app = operators
    detailed = await site.raw("GET", "/readyz")
    assert detailed.status_code == public.status_code
    assert "database" in (await detailed.get_json())["checks"]
    metrics = await (await site.raw("GET", "/metrics")).get_data(as_text=True)
    assert "roost_" in metrics
    for path in ("/", "/api/v1/devices", "/docs", "/openapi.json"):
        assert (await site.raw("GET", path)).status_code == 404


@pytest.mark.parametrize("path", ["/openapi.json", "/docs/swagger-ui-bundle.js", "/docs"])
async def test_what_is_large_is_compressed_for_who_takes_it(site: Site, path: str) -> None:
    plain = await (await site.raw("GET", path)).get_data()
    answer = await site.raw("GET", path, headers={"Accept-Encoding": "gzip, br"})
    packed = await answer.get_data()
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == (
        "gzip",
        "Accept-Encoding",
    )
    assert gzip.decompress(packed) == plain
    if path != "/docs":
        assert len(packed) < len(plain) / 3
    if path == "/openapi.json":
        assert json.loads(plain)["openapi"]


async def test_security_txt_names_whom_to_tell(site: Site) -> None:
    assert (await site.raw("GET", SECURITY_TXT)).status_code == 404
    contact = check_contact("security@roost.example")
    site.app = create_app(
        site.service,
        PlainHasher(),
        settings(security_contact=contact, public_url="https://roost.example"),
    )
    answer = await site.raw("GET", SECURITY_TXT)
    lines = (await answer.get_data(as_text=True)).splitlines()
    said = dict(line.split(": ", 1) for line in lines)
    assert answer.content_type.startswith("text/plain")
    assert said["Contact"] == "mailto:security@roost.example"
    assert said["Canonical"] == f"https://roost.example{SECURITY_TXT}"
    assert parse_rfc3339(said["Expires"]) > site.clock.now_us()


@pytest.mark.parametrize("contact", ["nobody", "http://x", "javascript:1", "mailto:a\nb"])
def test_a_contact_is_an_address_or_a_url(contact: str) -> None:
    with pytest.raises(SettingsError):
        check_contact(contact)


class Health:
    """A broker that reports about itself."""

    def __init__(self) -> None:
        self.problem = ""
        self.is_away = False

    async def health(self) -> str:
        await trio.lowlevel.checkpoint()
        if self.is_away:
            raise Unavailable("the broker does not answer")
        return self.problem


async def test_readiness_tells_what_the_broker_says_about_itself(site: Site) -> None:
    """Its sessions stay connected while a stream cannot be written."""
    site.service.broker_health = health = Health()
    site.app = create_app(site.service, PlainHasher(), settings())

    async def broker() -> str:
        said = await (await site.raw("GET", "/readyz")).get_json()
        return str(said["checks"]["broker"])

    assert await broker() == "ok"
    health.problem = "JetStream stream '$MQTT_msgs' is not current: write error"
    assert "write error" in await broker()
    health.is_away = True
    assert "has not answered" in await broker()
    health.is_away, health.problem = False, ""
    assert await broker() == "ok"
