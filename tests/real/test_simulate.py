"""`roost simulate` against a running Roost, as users run it."""

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.real.harness import ROOST, Roost, clean_environment, eventually, running
from tests.real.test_lifecycle import roost_command


class Fleet:
    """`roost simulate` as a process."""

    def __init__(self, roost: Roost, folder: Path, *options: str) -> None:
        self.roost = roost
        self.folder = folder
        command = [str(ROOST), "simulate", "--url", roost.url, "--data-dir", str(folder), *options]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        roost.closing.callback(self.process.kill)

    def made(self, devices: int) -> None:
        """Wait until this many devices are registered."""
        eventually((self.folder / "fleet.json").exists)
        eventually(lambda: len(self.owner["devices"]), lambda count: count == devices)
        self.process.kill()
        self.end()

    def end(self, timeout_s: float = 60) -> tuple[int, str]:
        """Wait for its end; the exit status and all output."""
        try:
            out, errors = self.process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, errors = self.process.communicate()
            pytest.fail(f"it goes on: {out}{errors}")
        return self.process.returncode, out + errors

    @property
    def owner(self) -> dict[str, Any]:
        (owner,) = json.loads((self.folder / "fleet.json").read_text())
        return dict(owner)

    def look(self) -> httpx.Client:
        """The REST API as the fleet's user."""
        http = httpx.Client(base_url=f"{self.roost.url}/api/v1", timeout=20)
        self.roost.closing.callback(http.close)
        login = {"email": self.owner["email"], "password": self.owner["password"]}
        answer = http.post("/login/access-token", json=login)
        http.headers["x-auth-token"] = answer.json()["access_token"]
        return http


def online(http: httpx.Client) -> int:
    return sum(each["status"] == "online" for each in http.get("/devices").json()["items"])


def last_seen(http: httpx.Client) -> list[str]:
    return sorted(each["last_seen"] for each in http.get("/devices").json()["items"])


def test_a_fleet_reports_and_all_that_was_acknowledged_is_stored(
    roost: Roost, tmp_path: Path
) -> None:
    options = ["--devices", "20", "--rate", "100"]
    status, said = Fleet(roost, tmp_path, *options, "--seconds", "3").end()
    assert status == 0, said
    assert "all that was acknowledged, each once" in said
    (sent,) = re.findall(r"sent ([\d,]+), acknowledged \1 ", said)
    assert 200 <= int(sent) <= 300  # each begins within 0.2 s of its connection
    assert (tmp_path / "fleet.json").stat().st_mode & 0o777 == 0o600
    before = json.loads((tmp_path / "fleet.json").read_text())

    fleet = Fleet(roost, tmp_path, *options)  # without an end
    http = fleet.look()
    eventually(lambda: online(http), lambda count: count == 20)
    fleet.process.send_signal(signal.SIGINT)
    status, said = fleet.end()
    assert status == 0, said
    assert "all that was acknowledged, each once" in said
    eventually(lambda: online(http), lambda count: count == 0)
    devices = http.get("/devices").json()["items"]
    assert len(devices) == 20
    assert all(each["temperature"] is not None for each in devices)
    assert http.get("/alarms").json()["items"] == []  # they left in order: no alarm
    assert json.loads((tmp_path / "fleet.json").read_text())[0]["email"] == before[0]["email"]


def test_its_devices_carry_out_commands(roost: Roost, tmp_path: Path) -> None:
    fleet = Fleet(roost, tmp_path, "--devices", "2", "--rate", "2")
    eventually((tmp_path / "fleet.json").exists)
    http = fleet.look()
    eventually(lambda: online(http), lambda count: count == 2)
    device = http.get("/devices").json()["items"][0]
    body = {"type": "blink", "payload": {"times": 3}}
    command = http.post(f"/devices/{device['id']}/commands", json=body).json()
    states = lambda: http.get(f"/commands/{command['id']}").json()["state"]  # noqa: E731
    eventually(states, lambda state: state == "succeeded")
    fleet.process.terminate()
    status, said = fleet.end()
    assert status == 0, said
    assert "commands carried out 1" in said


def test_a_crash_of_roost_in_the_middle_loses_nothing_that_was_acknowledged(begun: Path) -> None:
    with running(begun) as roost:
        fleet = Fleet(roost, begun / "fleet", "--devices", "10", "--rate", "100")
        eventually((begun / "fleet" / "fleet.json").exists)
        http = fleet.look()
        eventually(lambda: online(http), lambda count: count == 10)
        before = last_seen(http)
        roost.kill()
        roost.start()
        # Updated at most every ten seconds, so this is from a new connection.
        eventually(lambda: last_seen(http), lambda seen: seen[0] > before[-1])
        fleet.process.send_signal(signal.SIGINT)
        status, said = fleet.end()
        assert status == 0, said
        assert "all that was acknowledged, each once" in said


def test_devices_of_an_account_that_has_others_are_not_compared(
    roost: Roost, tmp_path: Path
) -> None:
    ada = roost.user("ada-with-others")
    ada.device("other", "t")
    options = ["--devices", "2", "--rate", "20", "--seconds", "1", "--prefix", "more"]
    owner = ["--email", ada.email, "--password", "correct-horse"]
    status, said = Fleet(roost, tmp_path, *options, *owner).end()
    assert status == 0, said
    assert "not compared" in said
    assert "correct-horse" not in said + (tmp_path / "fleet.json").read_text()
    codes = {each["device_code"] for each in ada.get("/devices")["items"]}
    assert codes == {"other", "more-00001", "more-00002"}


def test_a_fleet_whose_memory_is_lost_gets_new_credentials(roost: Roost, tmp_path: Path) -> None:
    ada = roost.user("ada-who-forgets")
    options = ["--devices", "3", "--rate", "30", "--seconds", "1"]
    owner = ["--email", ada.email, "--password", "correct-horse"]
    Fleet(roost, tmp_path, *options, *owner).made(3)
    (tmp_path / "fleet.json").unlink()
    status, said = Fleet(roost, tmp_path, *options, *owner).end()
    assert status == 0, said
    assert len(ada.get("/devices")["items"]) == 3


def test_a_roost_that_was_set_up_anew_gets_a_new_account(tmp_path: Path) -> None:
    options = ["--devices", "1", "--rate", "10", "--seconds", "1"]
    with running(tmp_path) as roost:
        first = Fleet(roost, tmp_path / "fleet", *options)
        first.made(1)
        email = first.owner["email"]
        assert roost.stop() == 0
        shutil.rmtree(roost.data_dir)
        roost.start()
        second = Fleet(roost, tmp_path / "fleet", *options)
        status, said = second.end()
        assert status == 0, said
        assert second.owner["email"] != email


def test_where_nobody_may_sign_up_it_says_what_to_do(begun: Path) -> None:
    with running(begun, "--signup", "closed") as roost:
        status, said = Fleet(roost, begun / "fleet").end()
        assert status == 2
        assert said.startswith("roost: ")
        assert "--email" in said
        assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "status", "word"),
    [
        (["--devices", "0"], 2, "devices"),
        (["--rate", "0"], 2, "rate"),
        (["--seconds", "-1"], 2, "seconds"),
        (["--prefix", "a b"], 2, "prefix"),
        (["--url", "nowhere://x"], 2, "url"),
        (["--email", "ada@example.org"], 2, "--password"),
        (["--url", "http://127.0.0.1:1"], 1, "no Roost answers"),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    options: list[str], status: int, word: str, tmp_path: Path
) -> None:
    done = roost_command("simulate", *options, ROOST_DATA_DIR=str(tmp_path))
    assert done.returncode == status
    assert done.stderr.startswith("roost: ")
    assert word in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_wrong_password_is_one_clear_line(roost: Roost, tmp_path: Path) -> None:
    owner = ["--email", "nobody@example.org", "--password", "wrong-horse"]
    status, said = Fleet(roost, tmp_path, *owner).end()
    assert status == 2
    seen, line = said.splitlines()
    assert seen.startswith("roost: warning: --password is visible to everybody")
    assert line.startswith("roost: nobody@example.org cannot sign in")


def test_a_broker_that_is_away_is_waited_for_and_told(roost: Roost, tmp_path: Path) -> None:
    options = ["--mqtt-public-url", "mqtt://127.0.0.1:1", "--devices", "1", "--seconds", "2"]
    status, said = Fleet(roost, tmp_path, *options).end()
    assert status == 1
    assert "1 of 1 devices never connected" in said
    assert "cannot connect" in said


def test_one_fleet_runs_from_a_directory(roost: Roost, tmp_path: Path) -> None:
    first = Fleet(roost, tmp_path, "--devices", "1", "--rate", "1")
    eventually((tmp_path / "fleet.json").exists)
    status, said = Fleet(roost, tmp_path).end()
    assert status == 2
    assert said.startswith("roost: another fleet runs on")
    first.process.kill()
    first.end()


def test_credentials_that_somebody_renewed_are_renewed_the_next_time(
    roost: Roost, tmp_path: Path
) -> None:
    options = ["--devices", "2", "--rate", "20", "--seconds", "2"]
    fleet = Fleet(roost, tmp_path, *options)
    fleet.made(2)
    http = fleet.look()
    (device,) = [
        each
        for each in http.get("/devices").json()["items"]
        if each["device_code"] == "virtual-00002"
    ]
    http.post(f"/devices/{device['id']}/credentials").raise_for_status()
    status, said = Fleet(roost, tmp_path, *options).end()
    assert status == 1
    assert "1 of 2 devices never connected" in said
    status, said = Fleet(roost, tmp_path, *options).end()
    assert status == 0, said


def test_an_interrupt_while_devices_are_made_is_one_line(roost: Roost, tmp_path: Path) -> None:
    fleet = Fleet(roost, tmp_path, "--devices", "2000")
    eventually((tmp_path / "fleet.json").exists)
    fleet.process.send_signal(signal.SIGINT)
    status, said = fleet.end()
    assert status == 130, said
    assert said.splitlines()[-1] == "roost: interrupted"
