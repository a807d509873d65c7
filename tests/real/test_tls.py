"""A server with TLS at every door, and real clients: httpx, dashboards, paho, mosquitto_pub."""

import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from actors.adapters.system.clocks import SystemClock
from roost.tls.authority import Authority
from tests.conftest import needs
from tests.real.harness import (
    PASSWORD,
    WAIT_S,
    Person,
    Roost,
    check_nobody_held_the_loop,
    dashboard,
    eventually,
)

NAME = "localhost"
OTHER = "device-00000000-0000-4000-8000-000000000000"


class Scene:
    """A server, and the CA of its certificate and of its devices."""

    def __init__(self, folder: Path) -> None:
        self.certs = folder / "certs"
        self.authority = Authority.of(self.certs, SystemClock().now_us())
        self.certificate, self.key = self.authority.issue_server([NAME, "127.0.0.1"])
        self.prober = Authority.of(self.certs, SystemClock().now_us()).issue_client(OTHER)
        self.ca = self.certs / "ca.pem"
        options = ["--tls-cert", self.certificate, "--tls-key", self.key, "--mqtt-wss", ":0"]
        self.roost = Roost(folder, *map(str, options), "--mqtt-client-ca", str(self.ca))
        self.roost.ca = self.ca

    def elsewhere(self) -> Authority:
        """The same CA, in a folder of its own: the server does not see what it issues there."""
        folder = self.certs / "elsewhere"
        folder.mkdir()
        for file in ("ca.pem", "ca.key"):
            shutil.copy(self.certs / file, folder)
        return Authority.of(folder, SystemClock().now_us())

    @property
    def web_port(self) -> int:
        """Of MQTT over WebSocket."""
        (line,) = (
            line
            for line in (self.roost.data_dir / "broker.log").read_text().splitlines()
            if "Listening for websocket clients on wss" in line
        )
        return int(line.rpartition(":")[2])

    def names(self, port: int) -> set[str]:
        """Those in the certificate that a server shows there."""
        context = ssl.create_default_context(cafile=self.ca)
        context.check_hostname = False
        context.load_cert_chain(*self.prober)
        with (
            socket.create_connection(("127.0.0.1", port), WAIT_S) as line,
            context.wrap_socket(line) as over,
        ):
            found: Any = over.getpeercert()
        return {name for _, name in found["subjectAltName"]}


@pytest.fixture(scope="module")
def scene(begun_for_all: Path) -> Iterator[Scene]:
    made = Scene(begun_for_all)
    made.roost.start()
    yield made
    made.roost.closing.close()
    assert made.roost.stop() == 0
    check_nobody_held_the_loop(made.roost)


@pytest.fixture(scope="module")
def roost(scene: Scene) -> Roost:
    return scene.roost


class Client:
    """paho, with a certificate or none.

    Attributes:
        code: how its login ended: "cut" without an answer.
    """

    def __init__(
        self,
        scene: Scene,
        client_id: str,
        login: tuple[str, str] | None = None,
        certificate: tuple[Path, Path] | None = None,
        *,
        web: bool = False,
    ) -> None:
        self.codes: Queue[str] = Queue()
        self.heard: Queue[bytes] = Queue()
        self.granted = threading.Event()
        self.lost = threading.Event()
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=mqtt.MQTTv311,
            transport="websockets" if web else "tcp",
            reconnect_on_failure=False,
        )
        context = ssl.create_default_context(cafile=scene.ca)
        if certificate is not None:
            context.load_cert_chain(*certificate)
        self.client.tls_set_context(context)
        if login is not None:
            self.client.username_pw_set(*login)
        self.client.on_connect = lambda c, u, f, code, p: self.codes.put(str(code))
        self.client.on_disconnect = self._on_disconnect
        self.client.on_message = lambda c, u, m: self.heard.put(bytes(m.payload))
        self.client.on_subscribe = lambda c, u, mid, codes, p: self.granted.set()
        port = scene.web_port if web else scene.roost.mqtt_port
        self.client.connect(NAME, port, 30)
        self.client.loop_start()
        scene.roost.closing.callback(self.close)

    def _on_disconnect(self, *told: Any) -> None:
        self.lost.set()
        self.codes.put("cut")

    @property
    def code(self) -> str:
        return self.codes.get(timeout=WAIT_S)

    def publish(self, topic: str, value: float) -> None:
        self.client.publish(topic, json.dumps(value), 1).wait_for_publish(WAIT_S)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.client._reset_sockets()


def test_http_speaks_version_2_and_tells_browsers_to_stay_with_tls(
    scene: Scene, roost: Roost
) -> None:
    for http2, version in ((True, "HTTP/2"), (False, "HTTP/1.1")):
        with httpx.Client(http2=http2, verify=trust(scene)) as client:
            answer = client.get(roost.url + "/healthz")
            assert (answer.status_code, answer.http_version) == (200, version)
            assert "max-age" in answer.headers["Strict-Transport-Security"]
            elsewhere = {"host": "localhost:8000"}
            if not http2:
                on_localhost = client.get(roost.url + "/healthz", headers=elsewhere)
                assert "Strict-Transport-Security" not in on_localhost.headers
    with pytest.raises(httpx.TransportError):
        httpx.get(roost.url.replace("https", "http") + "/healthz")


def test_cookies_are_for_tls_only(scene: Scene, roost: Roost, ada: Person) -> None:
    with httpx.Client(http2=True, verify=trust(scene)) as client:
        answer = client.post(
            roost.url + "/api/v1/login/access-token",
            json={"email": ada.email, "password": PASSWORD},
        )
        assert answer.status_code == 200, answer.text
        cookies = answer.headers.get_list("set-cookie")
        assert cookies
        assert all("; secure" in cookie.lower() for cookie in cookies)
        assert client.get(roost.url + "/api/v1/users/me").json()["email"] == ada.email


def test_large_answers_and_uploads_go_over_http_2(scene: Scene, roost: Roost, ada: Person) -> None:
    rows = ["device_code,name", *(f"many-{n},{'x' * 100}" for n in range(300))]
    headers = {"content-type": "text/csv", "x-auth-token": ada.token}
    with httpx.Client(http2=True, verify=trust(scene), timeout=WAIT_S) as client:
        url = roost.url + "/api/v1/devices"
        made = client.post(url + "/import", content="\n".join(rows).encode(), headers=headers)
        assert made.status_code == 201, made.text
        assert len(made.text.splitlines()) == 301
        listed = client.get(url, params={"limit": 300}, headers=headers)
        assert (listed.http_version, len(listed.json()["items"])) == ("HTTP/2", 300)
        assert len(listed.content) > 1 << 16  # more than one window


async def test_a_dashboard_hears_of_every_reading_over_tls(
    scene: Scene, roost: Roost, ada: Person
) -> None:
    """Frames are written past hypercorn, which TLS does not allow."""
    device = ada.device("live", "temperature")
    access = device["mqtt"]
    client = Client(
        scene, access["client_id"], certificate=scene.authority.issue_client(access["client_id"])
    )
    assert client.code == "Success"
    async with dashboard(roost, ada) as screen:
        await screen.until("device_list")
        for n in range(50):
            client.publish(f"{access['topic_prefix']}/feeds/temperature", n)
        for n in range(50):
            await screen.until("feed_value", device_id=device["id"], value=n)
    client.close()


def test_a_certificate_is_a_device_s_login_and_nobody_else_s(scene: Scene, ada: Person) -> None:
    one, two = (ada.device(code, "temperature")["mqtt"] for code in ("one", "two"))
    ids = [access["client_id"] for access in (one, two)]
    mine = scene.authority.issue_client(ids[0])
    for_servers = scene.elsewhere().issue_server(["gateway.lan"])
    theirs = Authority.of(scene.certs / "other", SystemClock().now_us()).issue_client(ids[0])
    login = (ids[1], two["password"])
    assert tried(scene, ids[0], None, mine) == "Success"
    assert tried(scene, ids[0], (ids[0], ""), mine) == "Success"
    assert tried(scene, ids[1], None, mine) == "Not authorized"
    assert tried(scene, ids[1], login, mine) == "Not authorized"
    for certificate in (None, theirs, for_servers):
        assert tried(scene, ids[1], login, certificate) == "cut"


def tried(
    scene: Scene,
    client_id: str,
    login: tuple[str, str] | None,
    certificate: tuple[Path, Path] | None,
) -> str:
    """How a login ends."""
    client = Client(scene, client_id, login, certificate)
    code = client.code
    client.close()
    return code


def test_mosquitto_pub_comes_in_by_certificate(scene: Scene, roost: Roost, ada: Person) -> None:
    device = ada.device("pub", "temperature")
    access = device["mqtt"]
    certificate, key = scene.authority.issue_client(access["client_id"])
    command = [needs("mosquitto_pub"), "-h", NAME, "-p", str(roost.mqtt_port), "-q", "1"]
    command += ["--cafile", str(scene.ca), "--cert", str(certificate), "--key", str(key)]
    command += ["-i", access["client_id"], "-m", "25.5"]
    command += ["-t", f"{access['topic_prefix']}/feeds/temperature"]
    assert subprocess.run(command, timeout=WAIT_S, check=False).returncode == 0
    eventually(lambda: ada.values(device["feeds"]["temperature"]) == [25.5])


def test_mqtt_over_websocket_has_the_same_logins(scene: Scene, ada: Person) -> None:
    device = ada.device("browser", "temperature")
    access = device["mqtt"]
    login = (access["username"], access["password"])
    client = Client(scene, access["client_id"], login, web=True)
    assert client.code == "Success"
    client.client.subscribe(f"{access['topic_prefix']}/commands", 1)
    assert client.granted.wait(WAIT_S)
    client.publish(f"{access['topic_prefix']}/feeds/temperature", 21.5)
    eventually(lambda: ada.values(device["feeds"]["temperature"]) == [21.5])
    ada.post(f"/devices/{device['id']}/commands", {"type": "blink"})
    assert b"blink" in client.heard.get(timeout=WAIT_S)
    client.close()
    wrong = Client(scene, access["client_id"], (access["username"], "wrong"), web=True)
    assert wrong.code == "Not authorized"


def test_a_renewed_certificate_is_shown_everywhere_and_devices_come_again(
    scene: Scene, roost: Roost, ada: Person
) -> None:
    access = ada.device("stays", "temperature")["mqtt"]
    certificate = scene.authority.issue_client(access["client_id"])
    client = Client(scene, access["client_id"], certificate=certificate)
    assert client.code == "Success"
    sessions = roost.log.count('"session connected"')
    broken = scene.certificate.read_bytes()
    scene.certificate.write_bytes(b"half a certif")
    hang_up(roost)
    checks = eventually(lambda: ready(scene), lambda found: "tls" in found["checks"])
    assert checks["status"] == "degraded"
    assert "no certificate" in checks["checks"]["tls"]
    ports = (int(roost.url.rpartition(":")[2]), roost.mqtt_port, scene.web_port)
    assert all("second.lan" not in scene.names(port) for port in ports)
    client.publish(f"{access['topic_prefix']}/feeds/temperature", 1)
    assert not client.lost.is_set()
    scene.certificate.write_bytes(broken)
    scene.authority.issue_server([NAME, "127.0.0.1", "second.lan"])
    hang_up(roost)
    for port in ports:
        eventually(lambda port=port: "second.lan" in scene.names(port))  # type: ignore[misc]
    eventually(lambda: ready(scene), lambda found: found["status"] == "ready")
    assert client.lost.wait(WAIT_S)  # a fact of nats-server, see `EmbeddedBroker.renew`
    again = Client(scene, access["client_id"], certificate=certificate)
    assert again.code == "Success"
    assert roost.log.count('"session connected"') == sessions
    page = httpx.get(roost.url + "/metrics", verify=trust(scene)).text
    assert "roost_tls_reloads_total 1.0" in page
    assert "roost_tls_reload_failed 0.0" in page


def trust(scene: Scene) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=scene.ca)


def hang_up(roost: Roost) -> None:
    assert roost.process is not None
    roost.process.send_signal(1)


def ready(scene: Scene) -> Any:
    return httpx.get(scene.roost.url + "/readyz", verify=trust(scene)).json()
