"""Starting and stopping, and what an operator sees of it."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import trio

from roost.settings import free_port
from tests.real.database import locked
from tests.real.harness import (
    PASSWORD,
    ROOST,
    WAIT_S,
    DeviceClient,
    Roost,
    clean_environment,
    dashboard,
    eventually,
    metric,
    running,
)

COMMIT_S = 3.0
PROBE_S = 1.0  # how long Kubernetes waits for an answer
ACK_WAIT_S = 5.0  # nats-server redelivers unacknowledged messages after this


def roost_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOST), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**clean_environment(), **environment},
    )


async def test_sigterm_drains_closes_sockets_with_1001_and_exits_0(tmp_path: Path) -> None:
    with running(tmp_path) as roost:
        ada = roost.user()
        device = ada.device("d", "t")
        client = DeviceClient(roost, device["mqtt"])
        async with dashboard(roost, ada) as screen:
            await screen.next()
            for n in range(50):
                await trio.to_thread.run_sync(client.publish, "feeds/t", {"value": n})
            since = time.monotonic()
            status = await trio.to_thread.run_sync(roost.stop)
            assert await screen.closed() == 1001
        assert status == 0
        assert time.monotonic() - since < 10
        roost.start()
        eventually(lambda: len(ada.values(device["feeds"]["t"])), lambda count: count == 50)
        assert '"level": "error"' not in roost.log


def test_a_commit_in_flight_at_sigterm_is_waited_for_and_comes_to_no_other_process(
    begun: Path,
) -> None:
    with running(begun) as roost:
        ada = roost.user()
        device = ada.device("d", "t")
        client = DeviceClient(roost, device["mqtt"])
        client.publish("feeds/t", {"value": 0})
        eventually(lambda: ada.values(device["feeds"]["t"]), lambda values: values == [0])
        with locked(roost, "feed_values") as release:
            for n in range(1, 21):
                client.publish("feeds/t", {"value": n})
            eventually(lambda: metric(roost, "roost_mqtt_in_flight"), lambda count: count == 20)
            threading.Timer(COMMIT_S, release).start()
            since = time.monotonic()
            assert roost.stop() == 0
            assert COMMIT_S - 0.5 < time.monotonic() - since < 10
        roost.start()
        assert sorted(ada.values(device["feeds"]["t"])) == list(range(21))
        time.sleep(ACK_WAIT_S + 1)  # by then an unacknowledged message would have been redelivered
        assert metric(roost, "roost_mqtt_messages_total") == 0
        assert "left to the broker" not in roost.log


def test_a_second_signal_ends_it_at_once_and_its_servers_with_it(begun: Path) -> None:
    with running(begun) as roost:
        client = DeviceClient(roost, roost.user().device("d", "t")["mqtt"])
        pids = [roost.pid_of(name) for name in ("postgres", "nats-server")]
        assert roost.process is not None
        with locked(roost, "feed_values"):
            client.publish("feeds/t", b"1")
            eventually(lambda: metric(roost, "roost_mqtt_in_flight"))
            roost.process.send_signal(signal.SIGTERM)
            eventually(lambda: '"event": "stopping"' in roost.log)
            time.sleep(1)
            since = time.monotonic()
            roost.process.send_signal(signal.SIGINT)
            assert roost.ended() == 128 + signal.SIGINT
            assert time.monotonic() - since < 2
        eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids))
        roost.start()
        (feed,) = roost.user().get("/feeds")["items"]
        eventually(lambda: roost.user().values(feed["id"]), lambda values: values == [1])


def test_a_database_that_hangs_holds_up_neither_probes_nor_the_end(begun: Path) -> None:
    with running(begun) as roost:
        ada = roost.user()
        client = DeviceClient(roost, ada.device("d", "t")["mqtt"])
        postgres = roost.pid_of("postgres")
        pids = [postgres, *children_of(postgres)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            client.publish("feeds/t", b"1")
            for n in range(8):
                since = time.monotonic()
                checks = ada.http.get(roost.url + "/readyz").json()["checks"]
                assert time.monotonic() - since < PROBE_S
                assert n < 5 or checks["database"].startswith("has not answered for "), checks
            since = time.monotonic()
            assert roost.stop() == 0
            assert time.monotonic() - since < 10
            told = [json.loads(line) for line in roost.log.splitlines() if line[:1] == "{"]
            (left,) = (entry for entry in told if entry["event"] == "left to the broker")
            assert left["messages"] >= 1  # besides canaries
            assert left["why"].startswith("the database has not answered a commit for ")
            # It ends in order: hanging connections are given up, not waited for.
            assert not [entry for entry in told if entry["event"].startswith("the end took too")]
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):  # it ended with its parent, which was killed
                    os.kill(pid, signal.SIGCONT)
        roost.start()
        (feed,) = ada.get("/feeds")["items"]
        eventually(lambda: ada.values(feed["id"]), lambda values: values == [1])


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in found]


def test_operators_may_have_an_address_of_their_own(begun: Path) -> None:
    ops = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    with running(begun, "--ops", ops.removeprefix("http://")) as roost:
        public = httpx.get(f"{roost.url}/readyz")
        assert (public.status_code, public.json()) == (200, {"status": "ready", "checks": {}})
        assert httpx.get(f"{roost.url}/metrics").status_code == 404
        assert httpx.get(f"{ops}/readyz").json()["checks"]["database"] == "ok"
        assert "roost_mqtt_unsettled_seconds" in httpx.get(f"{ops}/metrics").text
        assert httpx.get(f"{ops}/api/v1/users/me").status_code == 404
        taken = roost_command(
            *("up", "--data-dir", f"{begun}-2", "--http", "127.0.0.1:0"),
            *("--ops", ops.removeprefix("http://")),
        )
        assert (taken.returncode, "ops" in taken.stderr) == (2, True)


def test_neither_a_token_nor_an_address_reaches_a_log(begun: Path) -> None:
    with running(begun, "--log-level", "debug") as roost:
        ada = roost.user()
        account = {"email": ada.email.upper(), "password": PASSWORD}
        assert ada.http.post(f"{roost.url}/api/v1/users", json=account).status_code == 409
        account["password"] = "a-wrong-password"
        assert ada.call("POST", "/login/access-token", json=account).status_code == 401
        ada.http.get(f"{roost.url}/ws/devices?token={ada.token}")
        ada.http.get(f"{roost.url}/nothing?token={ada.token}")
        assert ada.token not in roost.log
        for file in (*roost.data_dir.glob("*.log"), roost.folder / "log"):
            assert ada.email.lower() not in file.read_text().lower(), file


def test_secrets_are_made_once_and_are_ours_alone(tmp_path: Path) -> None:
    with running(tmp_path) as roost:
        ada = roost.user()
        secrets = roost.data_dir / "secrets.json"
        before = secrets.read_bytes()
        for file in (secrets, roost.data_dir / "broker" / "nats.conf"):
            assert file.stat().st_mode & 0o777 == 0o600
        assert roost.data_dir.stat().st_mode & 0o777 == 0o700
        assert roost.stop() == 0
        roost.start()
        assert secrets.read_bytes() == before
        assert ada.get("/users/me")["email"] == ada.email  # the old token is still valid


def test_its_servers_end_with_it_even_when_it_is_killed(begun: Path) -> None:
    with running(begun) as roost:
        pids = [roost.pid_of(name) for name in ("postgres", "nats-server")]
        roost.kill()
        eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids))
        roost.start()


def test_two_on_one_data_directory_is_one_too_many(tmp_path: Path) -> None:
    with running(tmp_path) as roost:
        second = roost_command("up", "--data-dir", str(roost.data_dir), "--http", ":0")
        assert second.returncode == 2
        assert second.stderr.count("\n") == 1
        assert "another Roost" in second.stderr


def test_a_port_that_is_taken_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for option in ("--http", "--mqtt"):
            other = "--mqtt" if option == "--http" else "--http"
            done = roost_command(
                "up", "--data-dir", str(tmp_path / "d"), option, f":{port}", other, ":0",
                "--log-level", "error",
            )  # fmt: skip
            assert done.returncode == 2
            assert done.stderr.splitlines()[-1].startswith("roost: cannot listen on 127.0.0.1")


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["up", "--http", "nowhere"], {}),
        (["up", "--no-such-option"], {}),
        (["up"], {"ROOST_HTTP": "1.2.3.4:99999"}),
        (["up"], {"ROOST_SIGNUP": "perhaps"}),
        (["up"], {"ROOST_PUBLIC_URL": "roost"}),
        (["up"], {"ROOST_PUBLIC_URL": "http://["}),
        (["up"], {"ROOST_JWT_SECRET": "short"}),
        (["up"], {"ROOST_HTTP": "é" * 70 + ":80"}),
        (["serve"], {"ROOST_DATABASE_URL": "postgresql://h:port/x", "ROOST_MQTT_URL": "mqtt://x"}),
        (["migrate"], {"ROOST_DATABASE_URL": "postgresql://[::1/x"}),
        (["up"], {"ROOST_LOG_LEVEL": "loud"}),
        (["serve"], {}),
        (["serve"], {"ROOST_DATABASE_URL": "mysql://x", "ROOST_MQTT_URL": "mqtt://x"}),
        (["serve"], {"ROOST_DATABASE_URL": "postgresql://x", "ROOST_MQTT_URL": "http://x"}),
        (["nonsense"], {}),
    ],
)
def test_a_bad_setting_is_one_clear_line_and_exit_2(
    arguments: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    done = roost_command(*arguments, **environment, ROOST_DATA_DIR=str(tmp_path / "d"))
    assert done.returncode == 2
    assert done.stderr.startswith("roost: ")
    assert done.stderr.count("\n") == 1


def test_users_and_devices_are_made_on_the_command_line(tmp_path: Path) -> None:
    data = {"ROOST_DATA_DIR": str(tmp_path / "data")}
    made = roost_command("user", "add", "ada@example.org", "--password", "correct-horse", **data)
    assert made.returncode == 0, made.stderr
    twice = roost_command("user", "add", "Ada@example.org", "--password", "correct-horse", **data)
    assert twice.returncode == 2
    assert "An account with this email already exists" in twice.stderr
    assert roost_command("migrate", **data).stdout == "up to date\n"
    with running(tmp_path) as roost:  # and while the service runs
        ada = roost.user()
        device = roost_command(
            "device", "add", "shed", "--email", "ada@example.org", "--feed", "t", **data
        )
        assert device.returncode == 0, device.stderr
        access = dict(line.split(" ", 1) for line in device.stdout.splitlines())
        client = DeviceClient(roost, access)
        client.publish("feeds/t", b"7")
        (feed,) = ada.get("/feeds")["items"]
        eventually(lambda: ada.values(feed["id"]), lambda values: values == [7])


def test_the_demo_publishes_with_credentials_of_its_own(tmp_path: Path) -> None:
    with running(tmp_path, "--demo") as roost:
        assert roost.process is not None
        assert roost.process.stdout is not None
        line = roost.process.stdout.readline().split()
        email, password = line[line.index("e-mail") + 1], line[line.index("password") + 1]
        answer = roost.closing.enter_context(roost_client(roost)).post(
            "/api/v1/login/access-token", json={"email": email, "password": password}
        )
        token = answer.json()["access_token"]
        http = roost.closing.enter_context(roost_client(roost, token))

        def online() -> int:
            devices = http.get("/api/v1/devices").json()["items"]
            return sum(device["status"] == "online" for device in devices)

        eventually(online, lambda count: count >= 11)  # one leaves

        def reported() -> int:
            feeds = http.get("/api/v1/feeds").json()["items"]
            return sum(feed["last_value"] is not None for feed in feeds)

        eventually(reported, lambda count: count == 17)
        devices = {d["device_code"]: d["id"] for d in http.get("/api/v1/devices").json()["items"]}
        fridge = next(
            feed["id"]
            for feed in http.get("/api/v1/feeds").json()["items"]
            if feed["device_id"] == devices["my-khe-fridge"]
        )

        def of_a_month() -> int:
            chart = {"bucket": "1d", "agg": "count"}
            points = http.get(f"/api/v1/feed-values/{fridge}", params=chart).json()["items"]
            return sum(point["count"] for point in points) if len(points) > 29 else 0

        eventually(of_a_month, lambda count: count > 5_000)
        cleared = http.get("/api/v1/alarms", params={"state": "cleared"}).json()["items"]
        assert devices["my-khe-fridge"] in {alarm["device_id"] for alarm in cleared}
        tried = roost.process.stdout.readline().split()
        assert tried[0] == "try"
        assert http.patch(
            "/api/v1/users/me", json={"password": "battery-staple", "current_password": password}
        ).is_success
        http = roost.closing.enter_context(roost_client(roost, signed_in(roost, "battery-staple")))
        bench = next(
            each
            for each in http.get("/api/v1/devices").json()["items"]
            if each["device_code"] == "workbench"
        )
        assert http.post(f"/api/v1/devices/{bench['id']}/credentials").is_success
        assert roost.stop() == 0
        # Nothing of it is among what is anybody's own.
        assert [each.name for each in roost.data_dir.iterdir()] == ["demo"]
        roost.start()
        # Neither password is shown once somebody has changed it.
        assert roost.process is not None
        assert roost.process.stdout is not None
        again = roost.process.stdout.readline()
        assert f"roost user reset {email}" in again
        assert password not in again
        assert roost.stop() == 0


def signed_in(roost: Roost, password: str) -> str:
    """A token of the demo's user."""
    account = {"email": "demo@roost.local", "password": password}
    answer = httpx.post(f"{roost.url}/api/v1/login/access-token", json=account)
    return str(answer.json()["access_token"])


def roost_client(roost: Roost, token: str = "") -> httpx.Client:
    headers = {"x-auth-token": token} if token else {}
    return httpx.Client(base_url=roost.url, headers=headers, timeout=WAIT_S)


def test_readiness_tells_which_server_is_away(begun: Path) -> None:
    with running(begun) as roost:
        ada = roost.user()

        def ready() -> dict[str, str]:
            checks: dict[str, str] = ada.http.get(roost.url + "/readyz").json()["checks"]
            return checks

        assert set(ready().values()) == {"ok"}
        assert ada.http.get(roost.url + "/healthz").status_code == 200
        os.kill(roost.pid_of("nats-server"), signal.SIGKILL)
        eventually(lambda: ready()["broker"], lambda state: state != "ok")
        eventually(lambda: ready()["broker"], lambda state: state == "ok")
        assert json.loads(ada.http.get(roost.url + "/openapi.json").text)["openapi"] == "3.1.0"
