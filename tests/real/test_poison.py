"""Invalid data in a running service: rows written with SQL, a missing table, bogus notifications.

Each of these once ended the service for everybody, within ten seconds and again at each start.
"""

import asyncio
import subprocess
from typing import Any

import asyncpg
import httpx
import pytest
import trio

from actors.adapters.postgres.people import CHANNEL
from roost.embedded.postgres import url_of
from tests.contract.test_store_poison import spoil_devices
from tests.real.harness import (
    ROOST,
    DeviceClient,
    Person,
    Roost,
    clean_environment,
    dashboard,
    eventually,
)

NOTICES = 12
_SCHEDULE = """
INSERT INTO media_schedules (id, user_id, device_id, trigger_at, timezone, recurrence, exclusions,
    misfire, grace_s, enabled, created_at, planned_at, plan_at)
SELECT gen_random_uuid(), user_id, id, now(), $2, 'FREQ=MINUTELY', '{}', 'fire', 300, true, now(),
    now(), now() FROM devices WHERE code = $1 RETURNING id::text
"""


class Operator:
    """An operator, with access to the database and the command line."""

    def __init__(self, roost: Roost) -> None:
        self.roost = roost

    def sql(self, query: str, *args: Any) -> list[tuple[Any, ...]]:
        async def work() -> list[tuple[Any, ...]]:
            connection = await asyncpg.connect(url_of(self.roost.data_dir / "postgres"))
            try:
                return [tuple(row) for row in await connection.fetch(query, *args)]
            finally:
                await connection.close()

        return asyncio.run(work())

    def spoil_devices(self) -> None:
        async def work() -> None:
            connection = await asyncpg.connect(url_of(self.roost.data_dir / "postgres"))
            try:
                await spoil_devices(connection)
            finally:
                await connection.close()

        asyncio.run(work())

    def command(self, *options: str) -> str:
        done = subprocess.run(
            [str(ROOST), "dead-letters", "--data-dir", str(self.roost.data_dir), *options],
            capture_output=True,
            text=True,
            env=clean_environment(),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ready(self) -> tuple[int, dict[str, Any]]:
        answer = httpx.get(self.roost.url + "/readyz")
        return answer.status_code, answer.json()

    def occurrences(self, schedule_id: str) -> int:
        ((count,),) = self.sql(
            "SELECT count(*) FROM schedule_occurrences o JOIN media_schedules s"
            " ON s.num = o.schedule_num WHERE s.id = $1::text::uuid",
            schedule_id,
        )
        return int(count)


async def listed_live(service: Roost, person: Person) -> list[str]:
    """The devices in a dashboard's snapshot."""
    async with dashboard(service, person) as screen:
        first = await screen.next()
    return [device["device_code"] for device in first["devices"]]


@pytest.fixture(scope="module")
def service(own_roost: Roost) -> Roost:
    """A separate server, because the damage would affect all who use it."""
    return own_roost


def test_poison_fails_alone_is_shown_and_goes_on_when_it_is_healed(service: Roost) -> None:
    operator, ada = Operator(service), Person(service, "ada@example.org")
    good, bad = ada.device("good", "t"), ada.device("bad", "t")
    assert operator.command() == "no dead letters: all work goes on\n"
    eventually(operator.ready, lambda found: found[1]["status"] == "ready")
    ((spoiled,),) = operator.sql(_SCHEDULE, "good", "Mars/Olympus")
    ((healthy,),) = operator.sql(_SCHEDULE, "good", "Europe/Berlin")
    operator.spoil_devices()
    for n in range(NOTICES):
        operator.sql("SELECT pg_notify($1, $2)", CHANNEL, f"junk {n}")
    # Its actor cannot be built. The message waits at the broker, or is refused after its budget.
    poisoned = DeviceClient(service, bad["mqtt"])
    poisoned.client.publish(f"{poisoned.prefix}/feeds/t", "1", 1)
    assert service.process is not None

    # It is put aside with the reason, and everybody else is served.
    line = DeviceClient(service, good["mqtt"])
    for n in range(3):
        line.publish("feeds/t", str(n))
    eventually(lambda: ada.values(good["feeds"]["t"]), lambda found: len(found) == 3)
    eventually(lambda: operator.occurrences(healthy))
    table = eventually(operator.command, lambda said: "plans" in said and "devices" in said)
    lines = {row.split()[1]: row for row in table.splitlines()}
    assert f"{spoiled} " in lines["plans"]
    assert "'Mars/Olympus' is not a time zone known to this server" in lines["plans"]
    assert f"{ada.id}/bad " in lines["devices"]
    assert "division by zero" in lines["devices"]

    # Lists show all others.
    page = ada.http.get(service.url + "/api/v1/devices").json()
    assert [each["device_code"] for each in page["items"]] == ["good"]
    assert page["unreadable"] == 1
    assert trio.run(listed_live, service, ada) == ["good"]
    assert "rows" in operator.command()

    def shown() -> bool:
        status, body = operator.ready()
        assert status == 200
        return body["status"] == "degraded" and "plans 1" in body["checks"].get("dead letters", "")

    eventually(shown)
    page = httpx.get(service.url + "/metrics").text
    assert 'roost_dead_letters{work="plans"} 1.0' in page
    assert f"roost_notices_misunderstood_total {NOTICES}.0" in page
    assert service.process.poll() is None

    # Once repaired, it continues; an operator need not wait for the pause.
    operator.sql("UPDATE media_schedules SET timezone = 'Europe/Berlin' WHERE timezone <> 'UTC'")
    operator.sql("DROP VIEW devices")
    operator.sql("ALTER TABLE devices_there RENAME TO devices")
    assert operator.command("--all").endswith("tried again\n")
    eventually(lambda: operator.occurrences(spoiled))
    eventually(operator.command, lambda said: said == "no dead letters: all work goes on\n")
    poisoned.publish("feeds/t", "2")
    eventually(lambda: ada.values(bad["feeds"]["t"]), lambda found: 2.0 in found)
    line.close()
    poisoned.close()


def test_housekeeping_that_fails_is_a_detail_and_ends_nothing(service: Roost) -> None:
    operator = Operator(service)
    operator.sql("ALTER TABLE password_resets RENAME TO password_resets_gone")
    assert service.stop() == 0
    service.start()  # housekeeping runs at the start

    def tidying() -> str:
        return str(operator.ready()[1]["checks"].get("tidying: rows", ""))

    assert "password_resets" in eventually(tidying)
    assert operator.ready()[0] == 200
    operator.sql("ALTER TABLE password_resets_gone RENAME TO password_resets")
    assert service.process is not None
    assert service.process.poll() is None


def test_what_an_operator_asks_for_wrongly_is_one_line_and_status_2(service: Roost) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    for options in (["--retry", "x"], ["--all", "--drop", nobody], ["--drop", nobody]):
        done = subprocess.run(
            [str(ROOST), "dead-letters", "--data-dir", str(service.data_dir), *options],
            capture_output=True,
            text=True,
            env=clean_environment(),
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
