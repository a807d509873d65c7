"""How long writers wait while a large database of an earlier version is migrated.

    python -m bench.migrate [READINGS] [COMMIT]

The schema is that of an earlier commit of this repository (by default with thirteen migrations):
its own code makes it, in a worktree of its own. Then READINGS (5,000,000) are stored, two writers
store readings and a device's state as the service does, and `roost migrate` of today runs beside
them. It prints how long their transactions took before, meanwhile and afterwards, and the longest.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import trio

from roost.embedded.postgres import EmbeddedPostgres

READINGS = 5_000_000
COMMIT = "cf362dc"  # with thirteen migrations: its service may run while later ones are applied
FEEDS = 10
EVERY_S = 0.005
CALM_S = 5.0
WITHIN_S = 500.0
HERE = Path(__file__).parents[1]
MIGRATE = "from roost.cli import main; main(['migrate', '--database-url', {url!r}])"

_OWNER = f"""
INSERT INTO users (id, email, password_hash, created_at)
    VALUES ('00000000-0000-4000-8000-000000000001', 'bench@roost.local', '', now());
INSERT INTO devices (id, user_id, code, name, offline_after_s, created_at, username, client_id,
        password_sha256)
    VALUES ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001',
        'd', 'd', 60, now(), 'd', 'd', '');
INSERT INTO feeds (id, user_id, key, name, kind, enabled, on_violation, created_at)
    SELECT gen_random_uuid(), '00000000-0000-4000-8000-000000000001', 'f' || n, 'f', 'number',
        true, 'reject', now()
    FROM generate_series(1, {FEEDS}) AS n
"""
_FILL = """
INSERT INTO feed_values (feed_num, device_num, ts, digest, number)
SELECT 1 + n % $1::bigint, 1, now() - (n / $1 + 3600)::float8 * interval '1 second', n,
    20 + 5 * sin(n / 13751.0)
FROM generate_series($2::bigint, $3::bigint - 1) AS n
"""
_STORE = """
INSERT INTO feed_values (feed_num, device_num, ts, digest, number)
VALUES ($1, 1, clock_timestamp(), $2, 1)
"""
_LAST = """
INSERT INTO feed_last (feed_num, ts, number) VALUES ($1, clock_timestamp(), 1)
ON CONFLICT (feed_num) DO UPDATE SET ts = excluded.ts, number = excluded.number
"""
_STATE = "UPDATE devices SET version = version + 1, last_seen_at = clock_timestamp()"
_LOAD = """
SELECT d.id, f.id, l.ts FROM devices d JOIN feeds f ON f.user_id = d.user_id
    LEFT JOIN feed_last l ON l.feed_num = f.num
"""


@contextmanager
def earlier(commit: str, folder: Path) -> Iterator[Path]:
    """The files of an earlier commit."""
    git = ["git", "-C", str(HERE), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(folder), commit], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def migrate(code: Path, url: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(code)}
    command = [sys.executable, "-c", MIGRATE.format(url=url)]
    return subprocess.run(
        command, cwd=code, env=environment, capture_output=True, text=True, check=False
    )


async def fill(url: str, readings: int) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("SET synchronous_commit = off")
    await connection.execute(_OWNER)
    for first in range(0, readings, 250_000):
        await connection.execute(_FILL, FEEDS, first, min(first + 250_000, readings))
    await connection.execute("VACUUM (ANALYZE) feed_values")
    await connection.close()


Work = Callable[[Any, int, int], Awaitable[None]]


class Client:
    """Does the same every five milliseconds: `work(connection, feed_num, number)`."""

    def __init__(self, work: Work, feed_num: int) -> None:
        self._work = work
        self.times: list[tuple[float, float]] = []  # when it began, and how long it took
        self._feed_num = feed_num
        self.retried = 0

    async def run(self, url: str) -> None:
        connection = await asyncpg.connect(url)
        number = 0
        try:
            while True:
                number += 1
                began_s = time.monotonic()
                while not await self._done(connection, number):
                    self.retried += 1
                self.times.append((began_s, time.monotonic() - began_s))
                await asyncio.sleep(EVERY_S)
        finally:
            connection.terminate()

    async def _done(self, connection: Any, number: int) -> bool:
        """A service repeats a commit that was in a deadlock with a migration."""
        try:
            async with connection.transaction():
                await self._work(connection, self._feed_num, number)
        except asyncpg.DeadlockDetectedError:
            return False
        return True


async def store(connection: Any, feed_num: int, number: int) -> None:
    """A reading, its last value and a device's state."""
    await connection.execute(_STORE, feed_num, -number)
    await connection.execute(_LAST, feed_num)
    await connection.execute(_STATE)


async def load(connection: Any, feed_num: int, number: int) -> None:
    """What the actor of a device starts with."""
    await connection.fetch(_LOAD)


def told(what: str, writers: Sequence[Client], since_s: float, until_s: float) -> None:
    """A transaction counts where it ran, also partly."""
    ms = [
        took * 1000
        for writer in writers
        for at, took in writer.times
        if at + took >= since_s and at < until_s
    ]
    cuts = statistics.quantiles(ms, n=100)
    figures: dict[str, Any] = {"what": what, "s": round(until_s - since_s, 1), "stored": len(ms)}
    figures |= {"median_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1)}
    print(json.dumps({**figures, "longest_ms": round(max(ms), 1)}), flush=True)


async def measure(url: str) -> None:
    writers, loaders = [Client(store, 1), Client(store, 2)], [Client(load, 1)]
    running = [asyncio.create_task(each.run(url)) for each in (*writers, *loaders)]
    began_s = time.monotonic()
    await asyncio.sleep(CALM_S)
    since_s = time.monotonic()
    told("commits before", writers, began_s, since_s)
    told("loading before", loaders, began_s, since_s)
    done = await asyncio.to_thread(migrate, HERE, url)
    until_s = time.monotonic()
    await asyncio.sleep(CALM_S)
    for each in running:
        each.cancel()
    ended = await asyncio.gather(*running, return_exceptions=True)
    for error in ended:
        if not isinstance(error, asyncio.CancelledError):
            raise RuntimeError("a client failed") from error
    if done.returncode:
        raise RuntimeError(done.stderr)
    retried = sum(each.retried for each in (*writers, *loaders))
    applied = len(done.stdout.splitlines())
    print(json.dumps({"what": "migrations", "applied": applied, "deadlocks": retried}))
    told("commits meanwhile", writers, since_s, until_s)
    told("loading meanwhile", loaders, since_s, until_s)
    told("commits afterwards", writers, until_s, time.monotonic())


def main() -> None:
    readings = int(sys.argv[1]) if len(sys.argv) > 1 else READINGS
    commit = sys.argv[2] if len(sys.argv) > 2 else COMMIT
    with tempfile.TemporaryDirectory(prefix="roost-bench-") as name:
        folder = Path(name)
        database = EmbeddedPostgres(folder / "pg", folder / "pg.log", "of-the-bench")
        server = trio.run(database.start)
        try:
            with earlier(commit, folder / "code") as code:
                made = migrate(code, database.url)
                if made.returncode:
                    raise RuntimeError(made.stderr)
            began_s = time.monotonic()
            asyncio.run(fill(database.url, readings))
            took_s = round(time.monotonic() - began_s, 1)
            filled = {"what": "filled", "readings": readings, "commit": commit, "s": took_s}
            print(json.dumps(filled), flush=True)
            asyncio.run(measure(database.url))
        finally:
            trio.run(database.stop, server)


if __name__ == "__main__":
    main()
