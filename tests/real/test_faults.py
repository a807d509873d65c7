"""Every fault of docs/reliability.md under load: nothing acknowledged is lost, and Roost recovers.

ROOST_FAULTS_RATE and ROOST_FAULTS_SCALE make a run longer: the tables of that page are from
`ROOST_FAULTS_RATE=1000 ROOST_FAULTS_SCALE=3 pytest tests/real/test_faults.py -s`.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from actors.ingest.digests import BROUGHT_AFTER_S
from tests.real import migrated
from tests.real.faults import Report, Scene, endure, open_embedded, open_scene
from tests.real.harness import Roost, eventually

RATE = float(os.environ.get("ROOST_FAULTS_RATE", "150"))
SCALE = float(os.environ.get("ROOST_FAULTS_SCALE", "1"))
HEALS_WITHIN_S = 10.0
# A test machine may stand still for seconds.
NOISE_S = 5.0


def database_away(scene: Scene, *, how: int, for_s: float) -> None:
    scene.stop_database(how)
    time.sleep(for_s * SCALE)
    scene.start_database()


def connections_end(scene: Scene, *, times: int) -> None:
    """End all database connections of the service repeatedly, including that of the lead."""
    for _ in range(times):
        scene.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'roost' AND pid <> pg_backend_pid()"
        )
        time.sleep(0.3 * SCALE)


def broker_restarts(scene: Scene, *, how: int) -> None:
    scene.restart_broker(how)


def service_hangs(scene: Scene, *, for_s: float) -> None:
    """SIGSTOP: the process stands still, and the kernel keeps its connections."""
    process = scene.leader.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    time.sleep(for_s * SCALE)
    process.send_signal(signal.SIGCONT)


def service_restarts(scene: Scene, *, killed: bool) -> None:
    if killed:
        scene.leader.kill()
    else:
        assert scene.leader.stop() == 0
    scene.leader.start()


Fault = Callable[[Scene], None]
FAULTS: dict[str, Fault] = {
    "database stopped in order": partial(database_away, how=signal.SIGINT, for_s=3),
    "database stopped at once": partial(database_away, how=signal.SIGQUIT, for_s=3),
    "database connections ended, eight times": partial(connections_end, times=8),
    "broker stopped in order": partial(broker_restarts, how=signal.SIGTERM),
    "service hangs": partial(service_hangs, for_s=5),
    "service killed": partial(service_restarts, killed=True),
    "service stopped in order": partial(service_restarts, killed=False),
}
EMBEDDED: dict[str, Fault] = {
    "database killed": partial(database_away, how=signal.SIGKILL, for_s=1),
    "broker killed": partial(broker_restarts, how=signal.SIGKILL),
    "service hangs": partial(service_hangs, for_s=5),
    "service killed": partial(service_restarts, killed=True),
}


@pytest.fixture(scope="module")
def serve(begun_for_all: Path) -> Iterator[Scene]:
    with open_scene(begun_for_all) as scene:
        yield scene


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, made_database: Path) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("up")
    migrated.put(made_database, folder / "data")
    with open_embedded(folder) as scene:
        yield scene


def judge(scene: Scene, name: str, fault: Fault, before_s: float = SCALE) -> Report:
    report = endure(scene, name, fault, rate=RATE, before_s=before_s, after_s=SCALE)
    print("\n" + report.row())
    assert (report.lost, report.doubled) == (0, 0), report
    assert report.alarms_raised == report.alarms_expected, report
    assert report.unsettled == 0, report
    assert report.healed_s < HEALS_WITHIN_S + NOISE_S, report
    assert report.settled_s < HEALS_WITHIN_S + NOISE_S, report
    return report


@pytest.mark.parametrize("name", FAULTS)
def test_with_servers_of_somebody_else_s(serve: Scene, name: str) -> None:
    judge(serve, name, FAULTS[name])


@pytest.mark.parametrize("name", EMBEDDED)
def test_with_servers_of_its_own(up: Scene, name: str) -> None:
    # From then on redeliveries under another packet id are recognised (docs/reliability.md).
    before_s = BROUGHT_AFTER_S + 1 if name == "service hangs" else SCALE
    judge(up, name, EMBEDDED[name], before_s)


def ready_as(service: Roost, scene: Scene) -> str:
    status: str = scene.user.http.get(service.url + "/readyz").json()["status"]
    return status


def test_a_leader_that_hangs_is_replaced_and_takes_nothing_back(begun: Path) -> None:
    """In thirty seconds of SIGSTOP nobody once took over, because the kernel kept the lock's
    connection; then two leaders took the sessions from each other for forty seconds."""
    with open_scene(begun, processes=2) as scene:
        one, other = scene.services

        def hang_and_go_on(scene: Scene) -> None:
            assert one.process is not None
            one.process.send_signal(signal.SIGSTOP)
            since_s = time.monotonic()
            eventually(lambda: ready_as(other, scene), lambda status: status == "ready")
            taken_s = time.monotonic() - since_s
            print(f"\nanother process serves after {taken_s:.1f} s")
            assert taken_s < HEALS_WITHIN_S
            time.sleep(3 * SCALE)
            one.process.send_signal(signal.SIGCONT)

        judge(scene, "leader hangs, of two", hang_and_go_on)
        eventually(lambda: ready_as(one, scene), lambda status: status == "standby")
        steps = [line for line in (begun / "log").read_text().splitlines() if "leads" in line]
        assert sum('"event": "leads"' in line or " leads " in line for line in steps) == 2, steps
        # It takes the lead again when the other process ends.
        other.kill()
        eventually(lambda: ready_as(one, scene), lambda status: status == "ready")
