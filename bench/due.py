"""Occurrences that come due: how late each is published, and how much other traffic is delayed.

    python -m bench.due [OCCURRENCES] [MESSAGES_PER_S]

First nothing is due (the CPU of an idle service), then 100 a second for ten seconds, then three
times all OCCURRENCES (10,000) within one second. These three are evaluated together: the five
seconds of one have two hundred readings, whose p99 is the third slowest, and PostgreSQL's own
housekeeping (once a minute, for a third of a second) falls into some of them only.

With MESSAGES_PER_S, that many readings a second arrive all the time, from the devices in turn.

Lateness is from the due time to the arrival at a subscriber, including the broker. The other
traffic is a reading every 20 ms, from publish to the socket.
"""

import json
import multiprocessing
import shutil
import statistics
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import trio

from actors.adapters.postgres.store import open_store
from bench.due_hearing import Listener, Probe
from bench.service import Service, running
from protocol.schedule.schedules import Schedule
from protocol.times import SECOND_US
from roost.embedded.postgres import url_of
from tests.support import wire

DEVICES = 500
STEADY = 1_000
BURSTS = 3
STEADY_EVERY_S = 0.01
IDLE_S = 10.0
MAKE_PER_S = 250  # schedules, at least
ADDED_AT_ONCE = 8
GRACE_S = 20  # after this time a command expires, and disturbs no later measurement
PICTURE = b"GIF89a\x03\x00\x02\x00" + bytes(9)


def load(port: int, password: str, topics: Sequence[str], per_s: float) -> None:
    """In a process of its own: readings at an even pace, by the service's own login, which may
    publish for every device."""
    with wire.connect("127.0.0.1", port, "bench-load", "roost", password) as line:
        began_s, sent = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began_s) * per_s) - sent
            part = [(topics[(sent + n) % len(topics)], b"%d" % (sent + n)) for n in range(due)]
            wire.publish_all(line, part)
            sent += due
            time.sleep(0.02)  # the pace of what is sent; nothing waits for it


@contextmanager
def loaded(service: Service, topics: Sequence[str], per_s: float) -> Iterator[None]:
    arguments = (service.mqtt_port, service.mqtt_password, topics, per_s)
    process = multiprocessing.get_context("spawn").Process(target=load, args=arguments)
    if per_s:
        process.start()
    try:
        yield
    finally:
        if per_s:
            process.terminate()
            process.join()


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def plan(
    service: Service, user_id: str, devices: Sequence[str], media_id: str, dues: Sequence[datetime]
) -> None:
    """One schedule over REST, which tells the service when to look; the others beside it."""

    def schedule(n: int) -> Schedule:
        due_us = round(dues[n].timestamp() * SECOND_US)
        return Schedule(
            id=str(uuid.uuid4()),
            user_id=user_id,
            device_id=devices[n % len(devices)],
            media_id=media_id,
            trigger_us=due_us,
            timezone="UTC",
            recurrence=None,
            grace_s=GRACE_S,
            created_us=due_us,
            planned_us=due_us,
        )

    async with open_store(url_of(service.data_dir / "postgres")) as store:
        for start in range(1, len(dues), ADDED_AT_ONCE):
            async with trio.open_nursery() as nursery:
                for n in range(start, min(start + ADDED_AT_ONCE, len(dues))):
                    made = schedule(n)
                    nursery.start_soon(store.add_schedule, made, [made.trigger_us])
    body = {"media_id": media_id, "device_id": devices[0], "grace_s": GRACE_S}
    service.post("/media-schedules", {**body, "trigger_time": dues[0].isoformat()})


def told(what: str, times: Sequence[float], **more: float) -> None:
    cuts = statistics.quantiles(times, n=100)
    result = {
        "what": what,
        "count": len(times),
        "median_ms": round(cuts[49] * 1000, 1),
        "p99_ms": round(cuts[98] * 1000, 1),
        "max_ms": round(max(times) * 1000, 1),
        **more,
    }
    print(json.dumps(result), flush=True)


Prepared = tuple[str, list[str], str, dict[str, Any], list[str]]


def prepare(service: Service) -> Prepared:
    """A user's id, the ids of devices, of a picture, the device of the probe, and topics that
    devices of another user publish to: what they say is not for the socket of the probe."""
    service.sign_in("load@roost.local")
    topics = [f"{each['mqtt']['topic_prefix']}/feeds/load" for each in _devices(service)]
    service.post("/feeds", {"key": "load", "name": "load"})
    user_id = str(service.sign_in()["id"])
    devices = [each["id"] for each in _devices(service)]
    answer = service.http.post("/api/v1/media", files={"file": ("a.gif", PICTURE)})
    answer.raise_for_status()
    probe = service.post("/devices", {"device_code": "probe", "name": "probe"})
    service.post("/feeds", {"key": "t", "name": "t", "device_id": probe["id"]})
    return user_id, devices, answer.json()["id"], probe, topics


def _devices(service: Service) -> list[dict[str, Any]]:
    return [
        service.post("/devices", {"device_code": f"d{n}", "name": f"d{n}"}) for n in range(DEVICES)
    ]


class Round(NamedTuple):
    """The results of one burst of due occurrences (seconds)."""

    late: list[float]
    after_last_due_s: float
    before: list[float]
    meanwhile: list[float]


async def round_of(service: Service, prepared: Prepared, count: int, every_s: float) -> Round:
    user_id, devices, media_id, device, _ = prepared
    topic = f"users/{user_id}/devices/+/commands"
    with Listener(service, topic, service.data_dir.parent / "heard") as listener:
        first = datetime.now(UTC) + timedelta(seconds=count / MAKE_PER_S + 15)
        dues = [first + timedelta(seconds=n * every_s) for n in range(count)]
        await plan(service, user_id, devices, media_id, dues)
        begin_s, end_s = dues[0].timestamp(), dues[-1].timestamp()
        assert time.time() < begin_s - 10, "making the schedules took too long"
        probe = Probe(service, device)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(probe.run)
            late, last_s = await listener.late(count, first)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
    before = probe.between(begin_s - 9, begin_s)
    return Round(late, last_s - end_s, before, probe.between(begin_s, last_s))


async def measure(service: Service, many: int, per_s: float) -> None:
    prepared = prepare(service)
    with loaded(service, prepared[-1], per_s):
        await measure_all(service, prepared, many)


async def measure_all(service: Service, prepared: Prepared, many: int) -> None:
    await trio.sleep(2)
    before = cpu_s(service.pid)
    await trio.sleep(IDLE_S)
    used = (cpu_s(service.pid) - before) / IDLE_S
    print(json.dumps({"what": "CPU of a core, nothing due", "percent": round(100 * used, 2)}))

    for what, count, every_s, times in (
        (f"published after due, {1 / STEADY_EVERY_S:.0f} a second", STEADY, STEADY_EVERY_S, 1),
        (f"published after due, {many} in one second", many, 1 / many, BURSTS),
    ):
        rounds: list[Round] = []
        for _ in range(times):
            rounds.append(await round_of(service, prepared, count, every_s))
            await trio.sleep(GRACE_S)
        latest_s = max(each.after_last_due_s for each in rounds)
        told(what, pooled(each.late for each in rounds), all_after_last_due_s=round(latest_s, 3))
        told("  a reading on the socket, before", pooled(each.before for each in rounds))
        told("  a reading on the socket, meanwhile", pooled(each.meanwhile for each in rounds))


def pooled(parts: Iterable[Sequence[float]]) -> list[float]:
    return [each for part in parts for each in part]


def main() -> None:
    if shutil.which("mosquitto_sub") is None:
        sys.exit("bench.due needs mosquitto_sub (Debian: mosquitto-clients)")
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    per_s = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    limits = ("--user-messages-per-s", "1000000", "--schedules-of-user", "1000000")
    with running("--log-level", "warning", *limits) as service:
        trio.run(measure, service, many, per_s)


if __name__ == "__main__":
    main()
