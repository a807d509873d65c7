"""Signing in with Zalo, against a stand-in that behaves as Zalo's documentation says."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlencode, urlsplit

import httpx
import jwt
import pytest

from tests.real.harness import Person, Roost, running

APP_ID, SECRET = "4711", "of-the-app-at-zalo"
CALLBACK = "/api/v1/zalo-user-management/callback"


JSON = "application/json"


def said_as(what: dict[str, Any]) -> tuple[bytes, str]:
    return json.dumps(what).encode(), JSON


class StandIn(ThreadingHTTPServer):
    """Both of Zalo's services on one port.

    Attributes:
        people: profiles, by the code that signs them in; a code works once.
        visitor: the profile that agrees on the permission page, which returns a code.
        mood: `well`, or what is wrong with the service.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.people: dict[str, dict[str, Any]] = {}
        self.verifiers: dict[str, str] = {}
        self.challenges: dict[str, str] = {}
        self.visitor: dict[str, Any] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.mood = "well"
        self.wait = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self._answer(*self._exchanged({name: values[0] for name, values in form.items()}))

    def _exchanged(self, said: dict[str, str]) -> tuple[bytes, str]:
        server, code = self.server, said["code"]
        if server.mood == "rubbish":
            return b"<html>" * 20, "text/html"
        if server.mood == "endless":
            return b'"' + b"x" * 1_000_000 + b'"', JSON
        if server.mood == "silent":
            server.wait.wait(30)
        right = self.path == "/v4/access_token" and self.headers["secret_key"] == SECRET
        right = right and self.headers["Content-Type"] == "application/x-www-form-urlencoded"
        right = right and said["app_id"] == APP_ID and said["grant_type"] == "authorization_code"
        right = right and said.get("code_verifier") == server.verifiers.get(code)
        if code in server.challenges:
            digest = hashlib.sha256(said["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            right = challenge == server.challenges[code]
        if not right or code not in server.people:
            return said_as({"error": -14003, "error_name": "Invalid code", "error_reason": "no"})
        token = f"token-of-{code}"
        server.tokens[token] = server.people.pop(code)
        return said_as({"access_token": token, "refresh_token": "r", "expires_in": "90000"})

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path == "/v4/permission":
            self._permit({name: values[0] for name, values in parse_qs(asked.query).items()})
            return
        self._answer(*self._profile(urlsplit(self.path), self.headers["access_token"]))

    def _permit(self, asked: dict[str, str]) -> None:
        """The permission page: the visitor agrees at once."""
        code = f"code-{len(self.server.challenges)}"
        self.server.people[code] = self.server.visitor
        self.server.challenges[code] = asked["code_challenge"]
        answer = urlencode({"code": code, "state": asked["state"]})
        self.send_response(302 if asked["app_id"] == APP_ID else 400)
        self.send_header("Location", f"{asked['redirect_uri']}?{answer}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _profile(self, asked: SplitResult, token: str) -> tuple[bytes, str]:
        if self.server.mood == "no profile":
            return said_as({"name": "x"})
        proof = hmac.new(SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
        right = asked.path == "/v2.0/me" and self.headers["appsecret_proof"] == proof
        if not right or parse_qs(asked.query) != {"fields": ["id,name,picture"]}:
            return said_as({"error": 452, "message": "Session key invalid"})
        return said_as({"error": 0, "message": "Success", **self.server.tokens[token]})

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *about: Any) -> None:
        return


@pytest.fixture(scope="module")
def zalo() -> Iterator[StandIn]:
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.wait.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def served(zalo: StandIn, begun_for_all: Path) -> Iterator[Roost]:
    options = ["--zalo-app-id", APP_ID, "--zalo-app-secret", SECRET]
    options += ["--zalo-oauth-url", zalo.url, "--zalo-graph-url", zalo.url]
    with running(begun_for_all, *options) as found:
        yield found


@pytest.fixture
def roost(served: Roost, zalo: StandIn) -> Roost:
    zalo.mood = "well"
    return served


def sign_in(roost: Roost, code: str, **more: Any) -> httpx.Response:
    return httpx.post(roost.url + CALLBACK, json={"code": code, **more}, timeout=20)


def me(roost: Roost, answer: httpx.Response) -> Any:
    headers = {"x-auth-token": answer.json()["access_token"]}
    return httpx.get(f"{roost.url}/api/v1/users/me", headers=headers).json()


def test_a_first_sign_in_makes_an_account_and_the_next_finds_it(
    roost: Roost, zalo: StandIn
) -> None:
    profile = {"id": "5519302", "name": "Nguyễn Lan", "picture": {"data": {"url": "http://x"}}}
    zalo.people = {"first": profile, "second": {**profile, "name": "Lan"}}
    zalo.verifiers = {"second": "v" * 43}
    first = sign_in(roost, "first")
    assert first.status_code == 200, first.text
    assert "HttpOnly" in first.headers["set-cookie"]
    claims = jwt.decode(first.json()["access_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["idp"]) == ("5519302", "zalo")
    second = sign_in(roost, "second", code_verifier="v" * 43)
    assert me(roost, first) == me(roost, second)
    assert (me(roost, first)["full_name"], me(roost, first)["idp"]) == ("Nguyễn Lan", "zalo")
    assert me(roost, first)["email"] is None


def test_a_code_counts_once_and_with_its_verifier(roost: Roost, zalo: StandIn) -> None:
    zalo.people = {"once": {"id": "1"}, "guarded": {"id": "2"}}
    zalo.verifiers = {"guarded": "right"}
    assert sign_in(roost, "once").status_code == 200
    for answer in (
        sign_in(roost, "once"),
        sign_in(roost, "never"),
        sign_in(roost, "guarded", code_verifier="wrong"),
        sign_in(roost, "guarded"),
    ):
        assert answer.status_code == 401
        assert "begin again" in answer.json()["detail"]


@pytest.mark.parametrize("mood", ["rubbish", "endless", "no profile"])
def test_rubbish_is_a_bad_gateway(roost: Roost, zalo: StandIn, mood: str) -> None:
    zalo.people, zalo.mood = {"a": {"id": "3"}}, mood
    answer = sign_in(roost, "a")
    assert (answer.status_code, answer.headers["content-type"]) == (502, "application/problem+json")


def test_silence_is_a_bad_gateway(roost: Roost, zalo: StandIn) -> None:
    zalo.mood = "silent"
    assert sign_in(roost, "a").status_code == 502


def test_nobody_is_taken_for_a_user_of_ours(roost: Roost, zalo: StandIn) -> None:
    ada = Person(roost, "ada@example.org")
    zalo.people = {"like": {"id": ada.id}, "odd": {"id": "../x"}, "bool": {"id": True}}
    for code in list(zalo.people):
        assert sign_in(roost, code).status_code == 502


def test_other_pages_cannot_sign_a_browser_in(roost: Roost, zalo: StandIn) -> None:
    zalo.people = {"a": {"id": "4"}}
    headers = {"Origin": "https://evil.example"}
    answer = httpx.post(roost.url + CALLBACK, json={"code": "a"}, headers=headers)
    assert answer.status_code == 403


def test_a_password_is_nothing_for_who_comes_from_zalo(roost: Roost, zalo: StandIn) -> None:
    zalo.people = {"a": {"id": "5"}}
    headers = {"x-auth-token": sign_in(roost, "a").json()["access_token"]}
    change = {"password": "battery-staple", "current_password": "x"}
    url = f"{roost.url}/api/v1/users/me"
    answer = httpx.patch(url, json=change, headers=headers)
    assert answer.json()["errors"] == {"password": "cannot be set: this account signs in with zalo"}


def test_the_secret_reaches_no_log(roost: Roost) -> None:
    assert SECRET not in roost.log
    assert "token-of-" not in roost.log
    assert "Traceback" not in roost.log
