"""What tenants, devices and strangers tried to take the service down with, in small
(`docs/security.md`).

One service for all of it; what is checked each time is that it still serves everybody else.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from actors.adapters.postgres.readers import STATEMENT_S
from tests.real.harness import DeviceClient, Person, Roost, eventually, running
from tests.real.test_lifecycle import roost_command

CUT_OFF_WITHIN_S = STATEMENT_S + 10


@pytest.fixture(scope="module")
def roost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roost]:
    with running(tmp_path_factory.mktemp("roost"), "--sql", "127.0.0.1:0") as service:
        yield service


def serves_others(roost: Roost, name: str) -> None:
    """Somebody else publishes, and finds it; the service says that it is well."""
    other = roost.user(name)
    device = other.device(f"{name}-d", "t")
    client = DeviceClient(roost, device["mqtt"])
    client.publish("feeds/t", {"value": 1})
    eventually(lambda: other.values(device["feeds"]["t"]), lambda found: found == [1])
    assert httpx.get(roost.url + "/readyz").json()["status"] == "ready"


class SqlLogin:
    """A user's, as `roost user sql` prints it."""

    def __init__(self, roost: Roost, person: Person) -> None:
        done = roost_command("user", "sql", person.email, "--data-dir", str(roost.data_dir))
        assert done.returncode == 0, done.stderr
        told = dict(line.split(" ", 1) for line in done.stdout.splitlines())
        host, _, port = told["server"].rpartition(":")
        self._given: dict[str, Any] = {
            "host": host,
            "port": int(port),
            "database": told["database"],
            "user": told["username"],
            "password": told["password"],
        }

    def ask(self, *statements: str) -> list[Any]:
        """What the last one answers; the error, where one fails."""

        async def ask() -> list[Any]:
            connection = await asyncpg.connect(**self._given)
            try:
                for statement in statements[:-1]:
                    await connection.execute(statement)
                return list(await connection.fetch(statements[-1]))
            finally:
                connection.terminate()

        return asyncio.run(ask())


def test_a_reader_with_sql_reads_and_does_nothing_to_anybody(roost: Roost, ada: Person) -> None:
    """Twelve notifications ended the service; a statement could run for ever."""
    device = ada.device("sql", "t")
    client = DeviceClient(roost, device["mqtt"])
    client.publish("feeds/t", {"value": 21.5})
    feed = device["feeds"]["t"]
    eventually(lambda: ada.values(feed), lambda found: found == [21.5])
    login = SqlLogin(roost, ada)
    (row,) = login.ask("SELECT number FROM readings")
    assert row["number"] == 21.5

    ended: list[tuple[str, float]] = []

    def run_for_ever() -> None:
        since = time.monotonic()
        try:
            login.ask("SET statement_timeout = 0", "SELECT pg_sleep(600)")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            ended.append((type(error).__name__, time.monotonic() - since))

    running_for_ever = threading.Thread(target=run_for_ever, daemon=True)
    running_for_ever.start()
    for n in range(12):
        login.ask(f"NOTIFY roost_people, 'x{n}'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        login.ask("SET default_transaction_read_only = off", "CREATE TEMP TABLE t AS SELECT 1")
    serves_others(roost, "sql-other")
    running_for_ever.join(CUT_OFF_WITHIN_S)
    assert ended, "a statement of a reader still runs"
    assert ended[0][1] > STATEMENT_S / 2  # by whoever watches, and not at once
    assert '"event": "an SQL login was cut off"' in roost.log
