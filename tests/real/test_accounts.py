"""An operator locks an account and deletes it, while its devices are connected."""

import asyncio
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import asyncpg
import pytest

from roost.embedded.postgres import url_of
from tests.real.harness import (
    PASSWORD,
    ROOST,
    WAIT_S,
    DeviceClient,
    Person,
    Roost,
    clean_environment,
    eventually,
)
from tests.unit.samples import png

PICTURES = [png(1, 1), png(2, 2)]


@pytest.fixture(scope="module")
def roost(own_roost: Roost) -> Roost:
    """A separate server, whose files and sessions are counted."""
    return own_roost


def tried(data_dir: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOST), "user", *command, "--data-dir", str(data_dir)],
        capture_output=True,
        text=True,
        env=clean_environment(),
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def operator(data_dir: Path, *command: str) -> str:
    done = tried(data_dir, *command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows_of(roost: Roost, user_id: str) -> dict[str, int]:
    """How many rows of this user each table has."""

    async def look() -> dict[str, int]:
        connection = await asyncpg.connect(url_of(roost.data_dir / "postgres"))
        tables = await connection.fetch(
            "SELECT table_name AS name FROM information_schema.columns"
            " WHERE column_name = 'user_id' AND table_schema = 'public'"
        )
        found = {
            row["name"]: await connection.fetchval(
                f"SELECT count(*) FROM {row['name']} WHERE user_id::text = '{user_id}'"
            )
            for row in tables
        }
        await connection.close()
        return {name: count for name, count in found.items() if count}

    return asyncio.run(look())


def contents(roost: Roost) -> int:
    return sum(path.is_file() for path in (roost.data_dir / "media").glob("[0-9a-f][0-9a-f]/*"))


def furnished(person: Person, *pictures: bytes) -> tuple[DeviceClient, str, dict[str, Any]]:
    """A connected device with readings and a retained message, and media; its feed's id, and its
    login."""
    device = person.device("d1", "t")
    client = DeviceClient(person.roost, device["mqtt"], clean=False)
    client.subscribe("commands")
    client.publish("feeds/t", b"7")
    client.publish("status", b'{"firmware": "1"}', retain=True)
    feed: str = device["feeds"]["t"]
    eventually(lambda: person.values(feed), lambda values: values == [7])
    for picture in pictures:
        assert person.call("POST", "/media", files={"file": ("a.png", picture)}).status_code == 201
    return client, feed, device["mqtt"]


def sign_in(person: Person) -> tuple[int, str]:
    account = {"email": person.email, "password": PASSWORD}
    answer = person.call("POST", "/login/access-token", json=account)
    return answer.status_code, answer.json().get("code", "")


def test_an_account_is_locked_let_in_and_deleted_and_another_one_is_not_touched(
    roost: Roost,
) -> None:
    leaving, staying = roost.user("leaving"), roost.user("staying")
    client, _, access = furnished(leaving, *PICTURES)
    other, feed, _ = furnished(staying, PICTURES[0])
    assert contents(roost) == 2
    export = leaving.call("GET", "/users/me/export")
    with ZipFile(BytesIO(export.content)) as found:
        assert found.testzip() is None
        assert sum(name.startswith(("readings/", "media/")) for name in found.namelist()) == 3
    operator(roost.data_dir, "disable", leaving.email)
    assert client.lost.wait(WAIT_S)
    assert leaving.call("GET", "/users/me").status_code == 401
    leaving.token = ""
    assert sign_in(leaving) == (403, "account_disabled")
    assert DeviceClient(roost, access, clean=False).code == "Not authorized"
    operator(roost.data_dir, "enable", leaving.email)
    assert sign_in(leaving)[0] == 200
    client = DeviceClient(roost, access, clean=False)
    assert client.code == "Success"
    assert "left: 1 devices" in operator(roost.data_dir, "delete", leaving.email, "--yes")
    assert client.lost.wait(WAIT_S)
    assert sign_in(leaving)[0] == 401
    assert rows_of(roost, leaving.id) == {}
    assert contents(roost) == 1
    other.publish("feeds/t", b"8")
    eventually(lambda: staying.values(feed), lambda values: values == [8, 7])
    assert not other.lost.is_set()


def test_without_a_service_the_command_deletes_it_by_itself(roost: Roost) -> None:
    person = roost.user("late")
    client, *_ = furnished(person, png(3, 3))
    before = contents(roost)
    client.close()
    unasked = tried(roost.data_dir, "delete", person.email)
    assert (unasked.returncode, "confirm with --yes" in unasked.stderr) == (2, True)
    unknown = tried(roost.data_dir, "delete", "nobody@example.org", "--yes")
    assert (unknown.returncode, "there is no user" in unknown.stderr) == (2, True)
    operator(roost.data_dir, "sign-out", person.email)
    assert person.call("GET", "/users/me").status_code == 401
    assert roost.stop() == 0
    assert "deleted" in operator(roost.data_dir, "delete", person.email, "--yes")
    assert contents(roost) == before - 1
    roost.start()
    assert rows_of(roost, person.id) == {}
    assert sign_in(person)[0] == 401
