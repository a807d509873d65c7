"""Users at a running server: sign-out, password resets, mail, idempotent requests."""

import base64
import json
import re
import socketserver
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import trio

from actors.adapters.smtp.mailer import MailSettings, SmtpMailer
from protocol.errors import Unavailable
from protocol.people.totp import code_at
from tests.real.harness import PASSWORD, ROOST, Person, Roost, clean_environment, open_socket


async def test_who_signs_out_is_out_at_once(roost: Roost) -> None:
    leaving, staying = roost.user("eve"), roost.user("eve")
    async with (
        open_socket(roost, headers=[("x-auth-token", leaving.token)]) as gone,
        open_socket(roost, headers=[("x-auth-token", staying.token)]) as kept,
    ):
        await gone.next()
        await kept.next()
        answer = await trio.to_thread.run_sync(leaving.call, "POST", "/logout")
        assert answer.status_code == 204
        with trio.fail_after(2):
            assert await gone.closed() == 4401
        await kept.send(type="ping")
        assert (await kept.next())["type"] == "pong"
    assert leaving.call("GET", "/users/me").status_code == 401
    assert staying.call("GET", "/users/me").status_code == 200


def test_an_operator_helps_who_forgot_the_password(roost: Roost) -> None:
    person = roost.user("forgetful")
    command = [str(ROOST), "user", "reset", person.email, "--data-dir", str(roost.data_dir)]
    made = subprocess.run(
        command, capture_output=True, text=True, env=clean_environment(), check=True, timeout=30
    )
    page, _, token = made.stdout.strip().partition("#")
    assert page == f"{roost.url}/reset"
    answer = httpx.get(page)
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert 'src="reset.js"' in answer.text
    assert "api/v1/password-reset" in httpx.get(f"{roost.url}/reset.js").text
    body = {"token": token, "password": "battery-staple"}
    assert httpx.post(f"{roost.url}/api/v1/password-reset", json=body).status_code == 204
    # The running server is notified, although another process created the link.
    assert person.call("GET", "/users/me").status_code == 401
    account = {"email": person.email, "password": "battery-staple"}
    assert person.call("POST", "/login/access-token", json=account).status_code == 200
    wrong = {**account, "password": PASSWORD}
    assert person.call("POST", "/login/access-token", json=wrong).status_code == 401


def test_an_operator_lets_in_who_lost_her_phone(roost: Roost) -> None:
    person = roost.user("phoneless")
    begun = person.post("/users/me/second-factor", {"current_password": PASSWORD})
    secret = base64.b32decode(begun["secret"])
    code = code_at(secret, int(time.time()) // 30)
    person.post("/users/me/second-factor/confirm", {"code": code})
    account = {"email": person.email, "password": PASSWORD}
    answer = person.call("POST", "/login/access-token", json=account)
    assert (answer.status_code, answer.json()["code"]) == (401, "second_factor_needed")
    command = [str(ROOST), "user", "reset", person.email, "--lift-second-factor"]
    made = subprocess.run(
        [*command, "--data-dir", str(roost.data_dir)],
        capture_output=True,
        text=True,
        env=clean_environment(),
        check=True,
        timeout=30,
    )
    lines = made.stdout.splitlines()
    assert lines[0] == "second factor lifted"
    assert lines[1].startswith(f"{roost.url}/reset#")
    assert person.call("POST", "/login/access-token", json=account).status_code == 200
    newest = person.get("/audit-log", action="second_factor_off")["items"][0]
    assert newest["subject"] == "by the operator"


def test_two_hundred_orders_at_once_sell_exactly_what_there_is(roost: Roost, ada: Person) -> None:
    lamp = {"name": "Lamp", "sku": "rush", "price": "9.90", "stock": 50}
    product = ada.post("/products", lamp)
    url, headers = f"{roost.url}/api/v1/orders", {"x-auth-token": ada.token}
    body = {"items": [{"product_id": product["id"], "quantity": 1}]}
    with (
        httpx.Client(timeout=30, limits=httpx.Limits(max_connections=50)) as http,
        ThreadPoolExecutor(50) as pool,
    ):

        def buy(number: int) -> int:
            key = {"Idempotency-Key": f"rush {number}"}
            return http.post(url, json=body, headers={**headers, **key}).status_code

        assert Counter(pool.map(buy, range(200))) == {201: 50, 409: 150}
    assert ada.get(f"/products/{product['id']}")["stock"] == 0


class Letterbox(socketserver.ThreadingTCPServer):
    """Just enough of SMTP (RFC 5321) to receive a mail."""

    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.mails: list[str] = []
        self.refuses = False
        self.port: int = self.server_address[1]


class Conversation(socketserver.StreamRequestHandler):
    server: Letterbox

    def handle(self) -> None:
        self._say("220 letterbox")
        while line := self.rfile.readline():
            match line.split()[0].upper():
                case b"EHLO" | b"HELO":
                    self._say("250 letterbox")
                case b"RCPT" if self.server.refuses:
                    self._say("550 nobody here")
                case b"DATA":
                    self._say("354 go on")
                    self._take()
                    self._say("250 taken")
                case b"QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")

    def _take(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.decode())
        self.server.mails.append("".join(lines))

    def _say(self, what: str) -> None:
        self.wfile.write(f"{what}\r\n".encode())


@pytest.fixture
def letterbox() -> Iterator[Letterbox]:
    server = Letterbox()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_mail_arrives_as_it_was_written(letterbox: Letterbox) -> None:
    settings = MailSettings(host="127.0.0.1", port=letterbox.port, tls="", sender="r@example.org")
    mailer = SmtpMailer(settings)
    await mailer.send("ada@example.org", "A new password", "https://roost.example/reset#abc\n")
    (mail,) = letterbox.mails
    assert "From: r@example.org" in mail
    assert "To: ada@example.org" in mail
    assert "https://roost.example/reset#abc" in mail
    letterbox.refuses = True
    with pytest.raises(Unavailable):
        await mailer.send("ada@example.org", "x", "x")
    with pytest.raises(Unavailable):  # a line break in an address would begin another header
        await mailer.send("ada@example.org\r\nBcc: eve@example.org", "x", "x")
    assert len(letterbox.mails) == 1


async def test_a_mail_server_that_is_away_is_said_to_be(letterbox: Letterbox) -> None:
    for tls in ("", "starttls", "smtps"):
        settings = MailSettings(host="127.0.0.1", port=1, tls=tls, sender="r@example.org")
        with pytest.raises(Unavailable):
            await SmtpMailer(settings).send("ada@example.org", "x", "x")
    # A server without TLS gets no password.
    settings = MailSettings(
        host="127.0.0.1",
        port=letterbox.port,
        tls="starttls",
        sender="r@example.org",
        username="u",
        password="p",
    )
    with pytest.raises(Unavailable):
        await SmtpMailer(settings).send("ada@example.org", "x", "x")
    assert letterbox.mails == []


def test_no_token_and_no_password_reaches_the_log(roost: Roost, ada: Person) -> None:
    assert PASSWORD not in roost.log
    assert ada.token not in roost.log
    for line in roost.log.splitlines():
        assert not re.search(r"roost_[0-9a-f]{8}_", line), json.loads(line)["event"]
