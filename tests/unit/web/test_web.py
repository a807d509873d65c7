"""REST as a black box over the memory twins: manners, errors, and who may see what."""

import json
import threading
from typing import Any

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from actors.adapters.memory.clocks import PlainHasher
from protocol import codec
from protocol.people.people import SESSION_S
from protocol.times import FIRST_US, LAST_US
from tests.conftest import Logs
from tests.unit.site import ACCOUNT, Site
from web.app import BODY_BYTES_MAX, create_app
from web.http import openapi
from web.http.context import WebSettings
from web.http.cursors import cursor_of
from web.http.examples import EXAMPLES
from web.ops import operations

NOBODY = "00000000-0000-4000-8000-000000000000"


async def test_login_takes_json_and_forms_and_sets_the_cookie(site: Site) -> None:
    site.headers = {}
    form = {"username": ACCOUNT["email"], "password": ACCOUNT["password"]}
    for options in ({"json": ACCOUNT}, {"form": form}):
        answer = await site.raw("POST", "/api/v1/login/access-token", **options)
        body = await answer.get_json()
        assert answer.status_code == 200
        assert (body["token_type"], body["expires_in"]) == ("bearer", 8 * 24 * 3600)
        cookie = answer.headers["Set-Cookie"]
        assert "roost_token=" in cookie and "HttpOnly" in cookie and "SameSite=Lax" in cookie


async def test_an_unknown_user_and_a_wrong_password_get_the_same_answer(site: Site) -> None:
    unknown = await site.post("/login/access-token", {**ACCOUNT, "email": "bob@example.org"})
    wrong = await site.post("/login/access-token", {**ACCOUNT, "password": "wrong"})
    assert unknown == wrong
    assert unknown[0] == 401


@pytest.mark.parametrize("how", ["x-auth-token", "bearer", "cookie"])
async def test_a_token_may_travel_in_three_ways(site: Site, how: str) -> None:
    token = site.headers["x-auth-token"]
    site.headers = {
        "x-auth-token": {"x-auth-token": token},
        "bearer": {"Authorization": f"Bearer {token}"},
        "cookie": {"Cookie": f"roost_token={token}"},
    }[how]
    status, me = await site.call("GET", "/users/me")
    assert (status, me["email"]) == (200, ACCOUNT["email"])


async def test_the_cookie_changes_something_only_from_our_own_pages(site: Site) -> None:
    token = site.headers["x-auth-token"]
    site.headers = {"Cookie": f"roost_token={token}", "Host": "roost.example"}
    body = {"json": {"device_code": "d", "name": "d"}}
    for origin, status in (
        ("https://evil.example", 403),
        ("null", 403),
        ("http://[", 403),
        ("https://roost.example", 403),  # a page of another server on this machine, perhaps
        ("http://roost.example:8080", 403),
        ("http://roost.example", 201),
    ):
        answer = await site.call("POST", "/devices", headers={"Origin": origin}, **body)
        assert answer[0] == status, origin
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert (await site.call("POST", "/devices", headers=foreign, **body))[0] == 403
    # A program has no pages: its cookie is as good as a header.
    assert (await site.call("POST", "/devices", json={"device_code": "e", "name": "e"}))[0] == 201


async def test_a_page_behind_a_tls_proxy_that_is_not_known_is_refused_and_said(
    site: Site, logs: Logs
) -> None:
    site.headers = {"Cookie": f"roost_token={site.headers['x-auth-token']}"}
    sent = {"headers": {"Origin": "https://roost.example", "Host": "roost.example"}}
    body = {"device_code": "d", "name": "d"}
    for _ in range(2):
        assert (await site.call("POST", "/devices", json=body, **sent))[0] == 403
    (line,) = [each for each in logs.entries if "another scheme" in each["event"]]
    assert line["setting"] == "--public-url"
    settings = WebSettings(jwt_secret="s" * 32, public_url="https://roost.example")
    site.app = create_app(site.service, PlainHasher(), settings)
    assert (await site.call("POST", "/devices", json=body, **sent))[0] == 201


async def test_nobody_is_signed_in_by_the_page_of_a_stranger(site: Site) -> None:
    headers = {"Origin": "https://evil.example"}
    answer = await site.raw("POST", "/api/v1/login/access-token", json=ACCOUNT, headers=headers)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


async def test_an_id_may_be_written_in_capitals(site: Site) -> None:
    made = await site.device()
    capitals = made["id"].upper()
    assert (await site.call("GET", f"/devices/{capitals}"))[0] == 200
    assert (await site.post("/feeds", {"key": "t", "name": "t", "device_id": capitals}))[0] == 201
    for listed, count in (("feeds", 1), ("rejected-messages", 0)):
        status, page = await site.call("GET", f"/{listed}?device_id={capitals}")
        assert (status, len(page["items"])) == (200, count)


@pytest.mark.parametrize("token", ["", "rubbish", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
async def test_rubbish_is_no_token(site: Site, token: str) -> None:
    site.headers = {"x-auth-token": token}
    answer = await site.raw("GET", "/api/v1/users/me")
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_ends_after_eight_days(site: Site) -> None:
    site.clock.advance(SESSION_S - 1)
    assert (await site.call("GET", "/users/me"))[0] == 200
    site.clock.advance(2)
    assert (await site.call("GET", "/users/me"))[0] == 401


async def test_an_account_is_made_once_and_changed_with_its_password(site: Site) -> None:
    assert (await site.post("/users", {**ACCOUNT, "email": "ADA@example.org"}))[0] == 409
    status, problem = await site.post("/users", {"email": "no address", "password": "short"})
    assert status == 422
    assert set(problem["errors"]) == {"email", "password"}
    change = {"password": "another-horse"}
    assert (await site.call("PATCH", "/users/me", json=change))[0] == 422
    change["current_password"] = "wrong"
    assert (await site.call("PATCH", "/users/me", json=change))[0] == 422
    change["current_password"] = ACCOUNT["password"]
    status, me = await site.call("PATCH", "/users/me", json={**change, "full_name": "Ada"})
    assert (status, me["full_name"]) == (200, "Ada")
    assert (await site.post("/login/access-token", ACCOUNT))[0] == 401


async def test_a_device_shows_its_credentials_once(site: Site) -> None:
    made = await site.device()
    assert made["mqtt"].keys() >= {"username", "password", "client_id", "topic_prefix"}
    assert (made["status"], made["last_seen"]) == ("offline", None)
    status, shown = await site.call("GET", f"/devices/{made['id']}")
    assert status == 200
    assert "mqtt" not in shown
    assert (await site.post("/devices", {"device_code": "d1", "name": "x"}))[0] == 409
    status, fresh = await site.post(f"/devices/{made['id']}/credentials", None)
    assert status == 201
    assert fresh["mqtt"]["password"] != made["mqtt"]["password"]
    change = {"name": "New", "offline_after_s": 60}
    status, changed = await site.call("PATCH", f"/devices/{made['id']}", json=change)
    assert (changed["name"], changed["offline_after_s"]) == ("New", 60)
    assert (await site.call("DELETE", f"/devices/{made['id']}"))[0] == 204
    assert (await site.call("GET", f"/devices/{made['id']}"))[0] == 404


async def test_a_deleted_device_leaves_its_feeds_unless_purged(site: Site) -> None:
    for purge, left in (("false", 1), ("true", 1)):
        made = await site.device()
        await site.post("/feeds", {"key": "t", "name": "t", "device_id": made["id"]})
        assert (await site.call("DELETE", f"/devices/{made['id']}?purge={purge}"))[0] == 204
        _, feeds = await site.call("GET", "/feeds")
        assert len(feeds["items"]) == left
    (feed,) = feeds["items"]
    assert (feed["device_id"], feed["archived"]) == (None, True)


async def test_lists_come_in_pages(site: Site) -> None:
    for n in range(5):
        await site.device(f"d{n}")
    seen: list[str] = []
    cursor = ""
    while True:
        _, page = await site.call("GET", f"/devices?limit=2{cursor}")
        seen += [item["device_code"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == ["d0", "d1", "d2", "d3", "d4"]


BAD_REQUESTS: list[tuple[str, str, Any, int]] = [
    ("POST", "/devices", {}, 422),
    ("POST", "/devices", {"device_code": "a b", "name": "x"}, 422),
    ("POST", "/devices", {"device_code": "x" * 65, "name": "x"}, 422),
    ("POST", "/devices", {"device_code": "d\n", "name": "x"}, 422),
    ("POST", "/devices", {"device_code": "d", "name": ""}, 422),
    ("POST", "/devices", {"device_code": "d", "name": "a\0b"}, 422),
    ("POST", "/devices", {"device_code": "d", "name": "x", "colour": 1}, 422),
    ("POST", "/devices", {"device_code": "d", "name": "x", "offline_after_s": 0}, 422),
    ("POST", "/devices", {"device_code": "d", "name": "x", "offline_after_s": 10**400}, 422),
    ("POST", "/devices", [], 422),
    ("POST", "/feeds", {"key": "UPPER", "name": "x"}, 422),
    ("POST", "/feeds", {"key": "ts", "name": "x"}, 422),
    ("POST", "/feeds", {"key": "t", "name": "x", "kind": "colour"}, 422),
    ("POST", "/feeds", {"key": "t", "name": "x", "min_value": 2, "max_value": 1}, 422),
    ("POST", "/feeds", {"key": "t", "name": "x", "kind": "bool", "min_value": 2}, 422),
    ("POST", "/feeds", {"key": "t", "name": "x", "device_id": "rubbish"}, 422),
    ("POST", "/feeds", {"key": "t", "name": "x", "device_id": NOBODY}, 404),
    ("GET", "/devices?limit=0", None, 422),
    ("GET", "/devices?limit=1001", None, 422),
    ("GET", "/devices?limit=many", None, 422),
    ("GET", "/devices?cursor=rubbish", None, 422),
    ("GET", "/devices?limit=1&limit=2", None, 422),
    ("GET", "/devices?cursor=%00%ff", None, 422),
    ("GET", "/devices/rubbish", None, 404),
    ("GET", f"/devices/{NOBODY}", None, 404),
    ("GET", f"/feeds/{NOBODY}", None, 404),
    ("GET", f"/feed-values/{NOBODY}", None, 404),
    ("GET", "/feed-values/", None, 422),
    ("GET", "/feed-values/?feed_id=rubbish", None, 404),
    ("GET", "/feeds?device_id=rubbish", None, 422),
    ("GET", "/rejected-messages?cursor=MQ,", None, 422),
    ("GET", "/nothing", None, 404),
    ("GET", "/devices//", None, 404),
    ("GET", f"/devices/a%2F%2F{NOBODY}", None, 404),
    ("PUT", "/devices", {}, 405),
    ("PUT", "/users/me", None, 405),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), BAD_REQUESTS)
async def test_a_bad_request_gets_a_problem_and_no_5xx(
    site: Site, method: str, path: str, body: Any, status: int
) -> None:
    options = {} if body is None else {"data": json.dumps(body)}
    answer = await site.raw(method, "/api/v1" + path, **options)
    problem = json.loads(await answer.get_data())
    assert answer.status_code == status, problem
    assert answer.content_type == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= problem.keys()
    assert problem["status"] == status
    if status == 422:
        assert problem["errors"]


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 20_000, b'{"name": "\\ud800"}'])
async def test_a_body_that_is_not_json_is_a_problem(site: Site, data: bytes) -> None:
    answer = await site.raw("POST", "/api/v1/devices", data=data)
    assert answer.status_code in (400, 422)


async def test_a_body_has_a_bound(site: Site) -> None:
    answer = await site.raw("POST", "/api/v1/devices", data=b"x" * (BODY_BYTES_MAX + 1))
    assert answer.status_code == 413
    assert answer.content_type == "application/problem+json"


async def test_while_the_database_is_away_the_answer_says_when_to_come_back(site: Site) -> None:
    site.faults.away = True
    answer = await site.raw("GET", "/api/v1/users/me")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    ready = await site.raw("GET", "/readyz")
    # What came through a moment ago may come through again.
    assert (await ready.get_json())["checks"]["database"] != "ok"
    assert (await site.raw("GET", "/healthz")).status_code == 200


async def test_times_on_a_query_may_be_any_rfc_3339(site: Site) -> None:
    _, feed = await site.post("/feeds", {"key": "t", "name": "t"})
    for text in (
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00%2B07:00",
        "2026-01-01T00:00:00+07:00",
    ):
        assert (await site.call("GET", f"/feed-values/{feed['id']}?start={text}"))[0] == 200
    status, problem = await site.call("GET", f"/feed-values/{feed['id']}?end=yesterday")
    assert (status, set(problem["errors"])) == (422, {"end"})


@pytest.mark.parametrize("ts_us", [2**63 - 1, -(2**63) + 1, LAST_US + 1, FIRST_US - 1])
async def test_a_cursor_beyond_all_times_is_no_cursor(site: Site, ts_us: int) -> None:
    _, feed = await site.post("/feeds", {"key": "t", "name": "t"})
    path = f"/feed-values/{feed['id']}?cursor="
    assert (await site.call("GET", path + cursor_of((0, 1, 1))))[0] == 200
    status, problem = await site.call("GET", path + cursor_of((ts_us, 1, 1)))
    assert (status, set(problem["errors"])) == (422, {"cursor"})


async def test_closed_signing_up_is_closed(site: Site) -> None:
    settings = WebSettings(jwt_secret="s" * 32, signup_open=False)
    site.app = create_app(site.service, PlainHasher(), settings)
    site.headers = {}
    status, problem = await site.post("/users", {**ACCOUNT, "email": "bob@example.org"})
    assert (status, problem["title"]) == (403, "Not allowed")


async def test_the_document_describes_every_operation_and_needs_no_other_address(
    site: Site,
) -> None:
    document = await (await site.raw("GET", "/openapi.json")).get_json()
    assert document["openapi"] == "3.1.0"
    text = json.dumps(document)
    references = {part.split('"')[0] for part in text.split('"$ref": "#/components/schemas/')[1:]}
    assert references <= document["components"]["schemas"].keys()
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert set(operation["responses"]) > {"503"}
    page = await (await site.raw("GET", "/docs")).get_data(as_text=True)
    assert "http" not in page
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "init.js"):
        assert (await site.raw("GET", f"/docs/{name}")).status_code == 200
    home = await (await site.raw("GET", "/")).get_data(as_text=True)
    assert "Roost" in home


async def test_the_document_is_built_once_and_not_by_the_thread_of_all_tasks(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def build(*arguments: Any) -> dict[str, Any]:
        threads.append(threading.get_ident())
        return openapi.document(*arguments)

    monkeypatch.setattr(operations, "document", build)
    answers: list[bytes] = []

    async def ask() -> None:
        answers.append(await (await site.raw("GET", "/openapi.json")).get_data())

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask)
    await ask()
    assert len(answers) == 4
    assert len(set(answers)) == 1
    assert len(threads) == 1
    assert threads != [threading.get_ident()]


async def test_the_document_says_what_validators_and_generators_understand(site: Site) -> None:
    document = await (await site.raw("GET", "/openapi.json")).get_json()
    # JSON Schema's patterns are those of ECMA 262, which has no such end of a text.
    assert "\\\\Z" not in json.dumps(document)
    assert document["components"]["schemas"]["NewFeed"]["properties"]["key"]["pattern"][-1] == "$"
    operations = document["paths"]
    (asked,) = operations["/api/v1/devices/{device_id}"]["get"]["parameters"]
    assert (asked["in"], asked["schema"]["format"]) == ("path", "uuid")
    parameters = operations["/api/v1/feed-values/"]["get"]["parameters"]
    assert [each["name"] for each in parameters if each["required"]] == ["feed_id"]
    answers = operations["/api/v1/devices"]["post"]["responses"]
    assert answers.keys() == {
        "201",
        "400",
        "401",
        "403",
        "408",
        "409",
        "413",
        "422",
        "429",
        "503",
        "507",
    }
    assert answers["401"]["headers"]["WWW-Authenticate"]["required"]


async def test_metrics_are_what_prometheus_reads(site: Site) -> None:
    page = await (await site.raw("GET", "/metrics")).get_data(as_text=True)
    names = {family.name for family in text_string_to_metric_families(page)}
    assert {"roost_readings", "roost_commits", "roost_mqtt_sessions"} <= names


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
def test_every_example_of_the_document_is_taken(kind: Any) -> None:
    codec.decode_body(codec.encode(EXAMPLES[kind]), kind)
