"""Attacks by users, devices and strangers, on a small scale (`docs/security.md`).

All tests share one service, and check each time that it still serves everybody else.
"""

import asyncio
import json
import resource
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import asyncpg
import httpx
import pytest
import trio

from actors.adapters.postgres.readers import STATEMENT_S
from tests.real.harness import PASSWORD, DeviceClient, Person, Roost, eventually, running
from tests.real.test_lifecycle import roost_command

CUT_OFF_WITHIN_S = STATEMENT_S + 10


@pytest.fixture(scope="module")
def roost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roost]:
    options = ("--sql", "127.0.0.1:0", "--trusted-proxies", "127.0.0.0/8")
    with running(tmp_path_factory.mktemp("roost"), *options) as service:
        yield service


def serves_others(roost: Roost, name: str) -> None:
    """Another user's reading is stored and found, and the service is ready."""
    other = roost.user(name)
    device = other.device(f"{name}-d", "t")
    client = DeviceClient(roost, device["mqtt"])
    client.publish("feeds/t", {"value": 1})
    eventually(lambda: other.values(device["feeds"]["t"]), lambda found: found == [1])
    assert httpx.get(roost.url + "/readyz").json()["status"] == "ready"


class SqlLogin:
    """A user's SQL login, as `roost user sql` prints it."""

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
        """The result of the last statement, or the name of the first error."""

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
    """Twelve notifications once ended the service, and a statement could run for ever."""
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
    assert ended[0][1] > STATEMENT_S / 2  # by the SQL watch, which looks every few seconds
    # Its connection ends first; then Roost is notified.
    eventually(lambda: '"event": "an SQL login was cut off"' in roost.log, bool)


def connect_packet(client_id: str, username: str, password: str) -> bytes:
    """MQTT 3.1.1 §3.1, with a clean session."""

    def text(said: str) -> bytes:
        return struct.pack(">H", len(said.encode())) + said.encode()

    body = text("MQTT") + bytes([4, 0xC2, 0, 60]) + text(client_id) + text(username)
    body += text(password)
    left, length = len(body), bytearray()
    while True:
        left, digit = divmod(left, 128)
        length.append(digit | (0x80 if left else 0))
        if not left:
            return bytes([0x10]) + bytes(length) + body


@pytest.fixture(scope="module")
def files() -> None:
    """Raise the limit of open files, for a socket per device."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def credentials(person: Person, many: int) -> list[tuple[str, str, str]]:
    """Client ids, user names and passwords of new devices."""
    found = []
    for start in range(0, many, 1_000):
        codes = [f"storm-{start + n},x" for n in range(min(1_000, many - start))]
        for row in person.import_devices(codes):
            found.append((row["client_id"], row["username"], row["password"]))
    return found


@pytest.mark.usefixtures("files")
def test_two_thousand_devices_come_back_at_once_and_none_is_refused(
    roost: Roost, ada: Person
) -> None:
    """Once 835 of them were refused as "not authorised", with the right password."""
    answers: Counter[int] = Counter()

    async def connect(login: tuple[str, str, str], stay: trio.Event) -> None:
        stream = await trio.open_tcp_stream("127.0.0.1", roost.mqtt_port)
        async with stream:
            await stream.send_all(connect_packet(*login))
            said = b""
            while len(said) < 4 and (more := await stream.receive_some(4 - len(said))):
                said += more
            answers[said[3] if len(said) == 4 else -1] += 1
            await stay.wait()

    async def storm(logins: list[tuple[str, str, str]]) -> None:
        stay = trio.Event()
        async with trio.open_nursery() as nursery:
            for login in logins:
                nursery.start_soon(connect, login, stay)
            with trio.move_on_after(60):
                while answers.total() < len(logins):  # noqa: ASYNC110 (sockets tell no event)
                    await trio.sleep(0.05)
            stay.set()

    trio.run(storm, credentials(ada, 2_000))
    assert answers == {0: 2_000}


ANSWERED_WITHIN_S = 5.0
# Each takes 0.3 s of both cores: twelve seconds of work in all.
GUESSES, FROM_ONE = 40, 24


def test_wrong_passwords_shut_nobody_out(roost: Roost) -> None:
    """The owner once got 503 and 429, or an answer after 25 s, while others guessed."""
    owner = roost.user("guessed-at")
    hers = "203.0.113.9"

    def log_in(email: str, password: str, address: str) -> tuple[int, float]:
        since = time.monotonic()
        # One client for all: httpx reads all certificates for each, which would be the load here.
        line = HTTPConnection("127.0.0.1", int(roost.url.rpartition(":")[2]), timeout=60)
        body = json.dumps({"email": email, "password": password})
        kind = {"content-type": "application/json", "x-forwarded-for": address}
        with closing(line):
            line.request("POST", "/api/v1/login/access-token", body, kind)
            answer = line.getresponse()
            answer.read()
        if answer.status in (429, 503):
            assert int(answer.headers["retry-after"]) > 0
        return answer.status, time.monotonic() - since

    def storm(guesses: list[tuple[str, str]]) -> Counter[int]:
        """The owner signs in repeatedly while others guess."""
        guessed: list[int] = []

        def guess(email: str, address: str) -> None:
            guessed.append(log_in(email, "wrong-wrong", address)[0])

        threads = [threading.Thread(target=guess, args=each) for each in guesses]
        for thread in threads:
            thread.start()
        answers = [log_in(owner.email, PASSWORD, hers) for _ in range(3)]
        for thread in threads:
            thread.join()
        said = Counter(guessed)
        assert [status for status, _ in answers] == [200] * 3, (answers, said)
        assert max(took_s for _, took_s in answers) < within_s, (answers, said, idle_s)
        return said

    status, idle_s = log_in(owner.email, PASSWORD, hers)
    assert status == 200
    within_s = max(ANSWERED_WITHIN_S, 8 * idle_s)  # more if the machine is busy with other tests
    from_one = storm([(f"no{n}@example.org", "198.51.100.9") for n in range(FROM_ONE)])
    assert from_one[429] >= FROM_ONE // 2  # two at once; the others are refused
    at_her = storm([(owner.email, f"10.9.{n}.2") for n in range(GUESSES)])
    from_many = storm([(f"no{n}@example.org", f"10.8.{n}.2") for n in range(GUESSES)])
    for said in (at_her, from_many):
        assert said[401] and set(said) <= {401, 429, 503}
    assert "all connections to the database are busy" not in roost.log
    serves_others(roost, "guessed-other")
