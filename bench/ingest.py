"""Messages at QoS 1 until all are committed: Roost and the bare loop in turns, on one Mosquitto.

    python -m bench.ingest [--messages 50000] [--rounds 3] [--users 50] [--devices 500]
                           [--readings 1]

`--devices` in all, of so many users; `--readings` in a message (each of a feed of its own). Four
publishers over connections of their own. Prints a line of JSON for each turn, and the medians with
their ratio: rows per second from the first publish to the last commit, load included.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from bench import load
from bench.due import cpu_s
from bench.service import PASSWORD, Servers, beside

WARM = 5_000
COMMITTED_WITHIN_S = 300.0
LOOK_S = 0.02


def payload(n: int, number: int, readings: int) -> bytes:
    if readings == 1:
        return f'{{"value":{n}.{number}}}'.encode()
    return json.dumps({f"f{k}": n + k / 16 for k in range(readings)}).encode()


async def until_stored(url: str, rows: int) -> None:
    """Wait until the table of readings has so many."""
    database = await asyncpg.connect(url)
    until_s = time.monotonic() + COMMITTED_WITHIN_S
    while (found := await database.fetchval("SELECT count(*) FROM feed_values")) < rows:
        if time.monotonic() > until_s:
            raise RuntimeError(f"{found} of {rows} rows arrived")
        await asyncio.sleep(LOOK_S)
    await database.close()


async def emptied(url: str) -> None:
    """Both start with an empty table."""
    database = await asyncpg.connect(url)
    await database.execute("TRUNCATE feed_values")
    await database.close()


def measure(servers: Servers, topics: list[str], messages: int, readings: int, first: int) -> float:
    """Rows per second."""
    asyncio.run(emptied(servers.database_url))
    started_s = time.perf_counter()
    sent = load.publish(
        servers.mqtt_port,
        PASSWORD,
        topics,
        messages,
        lambda n, publisher: payload(first + n, publisher, readings),
    )
    rows = sent * readings
    asyncio.run(until_stored(servers.database_url, rows))
    return rows / (time.perf_counter() - started_s)


def prepare(servers: Servers, users: int, devices: int, readings: int) -> list[str]:
    """The topics of all devices."""
    keys = ["t"] if readings == 1 else [f"f{k}" for k in range(readings)]
    tail = "/t" if readings == 1 else ""
    topics = []
    with servers.roost("--log-level", "warning") as service:
        for n in range(users):
            user_id = service.sign_in(f"user{n}@roost.local")["id"]
            for key in keys:
                service.post("/feeds", {"key": key, "name": key})
            for code in range(devices // users):
                service.post("/devices", {"device_code": f"d{code}", "name": f"d{code}"})
                topics.append(f"users/{user_id}/devices/d{code}/feeds{tail}")
    return topics


@contextmanager
def bare_loop(servers: Servers) -> Iterator[int]:
    given = [servers.database_url, str(servers.mqtt_port), PASSWORD]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.bare_loop", *given], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process.pid
    process.terminate()
    process.wait(20)


@contextmanager
def roost(servers: Servers) -> Iterator[int]:
    with servers.roost("--log-level", "warning") as service:
        yield service.pid


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, usual in (
        ("messages", 50_000),
        ("rounds", 3),
        ("users", 50),
        ("devices", 500),
        ("readings", 1),
    ):
        parser.add_argument(f"--{name}", type=int, default=usual)
    given = parser.parse_args()
    found: dict[str, list[float]] = {"roost": [], "bare": []}
    with beside() as servers:
        topics = prepare(servers, given.users, given.devices, given.readings)
        for _ in range(given.rounds):
            for name, started in (("roost", roost), ("bare", bare_loop)):
                with started(servers) as pid:
                    measure(servers, topics, WARM, given.readings, 10_000_000)
                    before_s = cpu_s(pid)
                    per_s = measure(servers, topics, given.messages, given.readings, 0)
                    spent_us = (cpu_s(pid) - before_s) / given.messages * 1e6
                found[name].append(per_s)
                told = {"who": name, "rows_per_s": round(per_s), "cpu_us": round(spent_us, 1)}
                print(json.dumps(told), flush=True)
    medians = {name: round(statistics.median(each)) for name, each in found.items()}
    ratio = round(medians["roost"] / medians["bare"], 2)
    print(json.dumps({**vars(given), **medians, "ratio": ratio}))


if __name__ == "__main__":
    main()
