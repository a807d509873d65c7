"""Webhooks, received by a real HTTP server in this process."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.real.harness import DeviceClient, Person, Roost, eventually, running


class Receiver:
    """An HTTP server that accepts or refuses events, and records accepted ones."""

    def __init__(self) -> None:
        self.status = 200
        self.tries = 0
        self.taken: list[dict[str, Any]] = []
        self.forged: list[str] = []
        self.secret = ""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.tries += 1
                receiver.take(dict(self.headers.items()), body)
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/in"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, headers: dict[str, str], body: bytes) -> None:
        named = {name.lower(): value for name, value in headers.items()}
        signed = f"{named['webhook-id']}.{named['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        right = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if named["webhook-signature"] != right:
            self.forged.append(named["webhook-id"])
        if self.status == 200:
            self.taken.append({**json.loads(body), "id": named["webhook-id"]})

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.taken]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(scope="module")
def intranet(begun_for_all: Path) -> Iterator[Roost]:
    """A service with webhooks to private networks allowed."""
    with running(begun_for_all, "--webhook-networks", "any") as service:
        yield service


def test_an_alarm_reaches_its_receiver_though_both_fail_on_the_way(
    intranet: Roost, receiver: Receiver
) -> None:
    ada = intranet.user("ada")
    made = ada.post("/webhooks", {"url": receiver.url})
    receiver.secret = made["secret"]
    device = ada.device("hot", "t", max_value=10, on_violation="flag")
    client = DeviceClient(intranet, device["mqtt"])
    receiver.status = 503
    client.publish("feeds/t", {"value": 11})
    eventually(lambda: receiver.tries)
    client.close()
    intranet.kill()
    receiver.status = 200
    intranet.start()
    path = f"/webhooks/{made['id']}"
    eventually(lambda: ada.get(f"{path}/deliveries")["items"][0]["attempts"])
    # The receiver works again; a user who says so need not wait for the next try.
    ada.call("PATCH", path, json={"description": "mended"})
    eventually(lambda: receiver.taken)
    client = DeviceClient(intranet, device["mqtt"])
    client.publish("feeds/t", {"value": 9})
    eventually(lambda: "alarm.cleared" in receiver.types)
    assert receiver.types == ["alarm.raised", "alarm.cleared"]
    assert receiver.forged == []
    raised = receiver.taken[0]["data"]
    assert (raised["device_id"], raised["value"]) == (device["id"], 11)
    (kept,) = ada.get("/alarms", device_id=device["id"])["items"]
    assert kept["id"] == raised["id"]
    client.close()


def test_the_end_of_a_command_is_told_with_what_the_device_said(
    intranet: Roost, receiver: Receiver
) -> None:
    bob = intranet.user("bob")
    made = bob.post("/webhooks", {"url": receiver.url, "events": ["command.succeeded"]})
    receiver.secret = made["secret"]
    device = bob.device("doer")
    client = DeviceClient(intranet, device["mqtt"])
    command = bob.post(f"/devices/{device['id']}/commands", {"type": "measure"})
    client.publish(f"commands/{command['id']}/ack", {"status": "succeeded", "result": {"mm": 3}})
    eventually(lambda: receiver.taken)
    (told,) = receiver.taken
    assert (told["type"], told["data"]["id"]) == ("command.succeeded", command["id"])
    assert told["data"]["result"] == {"mm": 3}
    client.close()


def test_by_default_no_webhook_leads_to_this_machine(
    roost: Roost, ada: Person, receiver: Receiver
) -> None:
    refused = ada.call("POST", "/webhooks", json={"url": receiver.url})
    assert (refused.status_code, refused.json()["errors"]) == (
        422,
        {"url": "is on a private network; ask your administrator to allow it"},
    )
    made = ada.post("/webhooks", {"url": receiver.url.replace("127.0.0.1", "localhost")})
    ada.post(f"/webhooks/{made['id']}/test")
    path = f"/webhooks/{made['id']}/deliveries"
    tried = eventually(lambda: ada.get(path)["items"][0], lambda found: found["detail"])
    assert tried["detail"] == "localhost has no address on a public network"
    assert ada.get(f"/webhooks/{made['id']}")["state"] == "failing"
    assert receiver.tries == 0
