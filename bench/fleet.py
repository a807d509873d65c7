"""Very many living devices: what each takes of memory, and what a message costs among them.

    python -m bench.fleet [DEVICES] [FEW] [MESSAGES]

FEW (1,000) devices first, then DEVICES (100,000), of a user for each 10,000, send MESSAGES
(100,000) readings in turns at QoS 1. Prints JSON: the CPU time of Roost for a message of the few
and of the many, their ratio, what the start of an actor costs, and how much memory the process has
resident before and after.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import load
from bench.due import cpu_s
from bench.service import Service, running, until

OF_USER = 10_000
STORED = 'roost_readings_total{outcome="stored"}'


def resident_mb(pid: int) -> float:
    """Without the server's children."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise RuntimeError(f"process {pid} has no memory")


def topics_of(service: Service, devices: int) -> list[str]:
    """Of new users with new devices and a shared feed each."""
    topics = []
    for first in range(0, devices, OF_USER):
        user_id = service.sign_in(f"fleet{first}@roost.local")["id"]
        service.post("/feeds", {"key": "t", "name": "t"})
        mine = min(OF_USER, devices - first)
        service.import_devices([f"t{n}" for n in range(mine)])
        topics += [f"users/{user_id}/devices/t{n}/feeds/t" for n in range(mine)]
    return topics


def send(service: Service, topics: Sequence[str], messages: int) -> float:
    """CPU microseconds of Roost for a message."""
    stored, before_s = service.metric(STORED), cpu_s(service.pid)
    sent = load.publish(
        service.mqtt_port,
        service.mqtt_password,
        topics,
        messages,
        lambda n, publisher: b'{"value":%d.%d}' % (n, publisher),
    )
    until(lambda: service.metric(STORED) >= stored + sent)
    return (cpu_s(service.pid) - before_s) / sent * 1e6


def measure(service: Service, devices: int, few: int, messages: int) -> dict[str, Any]:
    topics = topics_of(service, devices)
    empty_mb = resident_mb(service.pid)
    send(service, topics[:few], few)
    of_few = send(service, topics[:few], messages)
    few_mb = resident_mb(service.pid)
    start_us = send(service, topics, len(topics))
    many_mb = resident_mb(service.pid)
    of_many = send(service, topics, messages)
    return {
        "devices": devices,
        "actors": service.metric("roost_device_actors"),
        "message_of_few_us": round(of_few, 1),
        "message_of_many_us": round(of_many, 1),
        "ratio": round(of_many / of_few, 2),
        "first_message_us": round(start_us, 1),
        "empty_mb": empty_mb,
        "few_mb": few_mb,
        "many_mb": many_mb,
        "end_mb": resident_mb(service.pid),
    }


def main() -> None:
    given = [int(each) for each in sys.argv[1:]]
    devices, few, messages = (given + [100_000, 1_000, 100_000][len(given) :])[:3]
    with running("--log-level", "warning") as service:
        print(json.dumps(measure(service, devices, few, messages)))


if __name__ == "__main__":
    main()
