"""The service answers as its OpenAPI document says, whatever is requested (schemathesis).

schemathesis runs as a program. Under pytest 9.2 its plugin takes no schema from a fixture, and
requires equal answers to repeated chains of calls, which a service with state does not give.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.real.harness import DeviceClient, Person, Roost, clean_environment, eventually

# A schema cannot say that a minimum is below its maximum, or which password is right.
UNTRUE = "positive_data_acceptance"
EXAMPLES = "10"
# These calls may sign the client out.
LEAVING = ["/api/v1/logout", "/api/v1/sessions/{session_id}"]
WITHIN_S = 600.0  # two minutes of CPU time, shared with others


@pytest.fixture(scope="module")
def roost(own_roost: Roost) -> Roost:
    """A separate server, because its log is checked for errors."""
    return own_roost


@pytest.fixture(scope="module")
def report(roost: Roost, ada: Person, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The recorded requests and responses of a run without undocumented responses."""
    something_of_everything(roost, ada)
    folder = tmp_path_factory.mktemp("schemathesis")
    # Excluded: signing out ends all further calls, and guessed passwords lock sign-in.
    leaving = roost.user().token
    staying = [word for path in LEAVING for word in ("--exclude-path", path)]
    going = [word for path in LEAVING for word in ("--include-path", path)]
    return asked_of(roost, ada.token, folder, *staying) + asked_of(roost, leaving, folder, *going)


def asked_of(roost: Roost, token: str, folder: Path, *options: str) -> list[Any]:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{roost.url}/openapi.json"]
    command += ["--header", f"x-auth-token: {token}", "--request-timeout", "20", *options]
    command += ["--checks", "all", "--exclude-checks", UNTRUE, "--continue-on-failure"]
    command += ["--max-examples", EXAMPLES, "--generation-deterministic"]
    command += ["--report", "har", "--report-har-path", "report.har", "--no-color"]
    ran = subprocess.run(
        command,
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    entries: list[Any] = json.loads((folder / "report.har").read_text())["log"]["entries"]
    return entries


def something_of_everything(roost: Roost, ada: Person) -> None:
    """A device with readings and refused messages, so that the lists have items."""
    made = ada.device("d1", "t")
    device = DeviceClient(roost, made["mqtt"])
    device.publish("feeds/t", {"value": 1.5})
    device.publish("feeds/t", {"value": "warm"})
    device.publish("status", {"status": "online", "temperature": 4})
    eventually(lambda: ada.values(made["feeds"]["t"]))
    eventually(ada.rejected)
    sent = ada.call("POST", "/media", files={"file": ("a.txt", b"hello")})
    assert sent.status_code == 201, sent.text
    plan = {"device_id": made["id"], "media_id": sent.json()["id"]}
    ada.post("/media-schedules", {**plan, "trigger_time": "2099-01-01T00:00:00Z"})
    ada.post(f"/devices/{made['id']}/commands", {"type": "beep"})
    product = ada.post("/products", {"name": "Lamp", "sku": "L-1", "price": "9.90", "stock": 50})
    ada.post("/orders", {"items": [{"product_id": product["id"], "quantity": 2}]})
    hook = ada.post("/webhooks", {"url": "http://receiver.invalid/"})
    ada.post(f"/webhooks/{hook['id']}/test")


def test_every_answer_is_one_that_the_document_has(roost: Roost, report: list[Any]) -> None:
    # schemathesis checks the responses; this checks what it cannot see.
    assert len(report) > 500
    assert '"level": "error"' not in roost.log
    assert "Traceback" not in roost.log


# Random input never has the password, a mailed link, a code of a second factor, an alarm's id, two
# related ids, a valid file or an open order; other tests cover these.
UNGUESSED = {
    "POST /api/v1/login/access-token",
    "POST /api/v1/alarms/{alarm_id}/ack",
    "POST /api/v1/media-schedules",
    "POST /api/v1/orders",
    "PATCH /api/v1/orders/{order_id}",
    "DELETE /api/v1/orders/{order_id}",
    "POST /api/v1/devices/import",
    "POST /api/v1/password-reset",
    "DELETE /api/v1/users/me",
    "POST /api/v1/users/me/second-factor/confirm",
    "POST /api/v1/users/me/second-factor/recovery-codes",
    "DELETE /api/v1/users/me/second-factor",
    "POST /api/v1/password-reset/request",
    "POST /api/v1/email-verification",
    "POST /api/v1/email-verification/request",
    "GET /api/v1/feed-values/latest",
    "DELETE /api/v1/sessions/{session_id}",
    "POST /api/v1/zalo-user-management/callback",
    "POST /api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/retry",
    # With the login of a device.
    "POST /api/v1/ingest/feeds/{feed_key}",
    "POST /api/v1/ingest/feeds",
    "POST /api/v1/ingest/status",
}


def test_every_operation_was_reached(roost: Roost, ada: Person, report: list[Any]) -> None:
    good = {operation_of(each["request"]) for each in report if each["response"]["status"] < 300}
    document = ada.http.get(f"{roost.url}/openapi.json").json()
    wanted = {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert wanted - good <= UNGUESSED


def operation_of(request: dict[str, Any]) -> str:
    """The operation of a request, by its name in the document."""
    path = request["url"].partition("/api/")[2].partition("?")[0]
    path = re.sub(
        r"(device|feed|command|alarm)(s|-values)/(?!latest|import|ack$)[^/]+", r"\1\2/{\1_id}", path
    )
    path = re.sub(r"webhooks/[^/]+", "webhooks/{webhook_id}", path)
    path = re.sub(r"sessions/[^/]+", "sessions/{session_id}", path)
    path = re.sub(r"orders/(?!stats)[^/]+", "orders/{order_id}", path)
    path = re.sub(r"products/(?!stats)[^/]+", "products/{product_id}", path)
    path = re.sub(r"api-keys/[^/]+", "api-keys/{key_id}", path)
    path = re.sub(r"rejected-messages/[^/]+", "rejected-messages/{rejection_id}", path)
    path = re.sub(r"deliveries/[^/]+", "deliveries/{delivery_id}", path)
    path = re.sub(r"media-schedules/[^/]+", "media-schedules/{schedule_id}", path)
    path = re.sub(r"media/(?!stats)[^/]+", "media/{media_id}", path)
    return f"{request['method']} /api/{path}"
