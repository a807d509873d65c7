"""QoS 1 messages from 500 devices over four connections, until all are committed.

    python -m bench.throughput [MESSAGES] [--ts]

Prints messages per second from the first publish to the last commit, load generator included.
"""

import json
import sys
import time

from bench import load
from bench.service import Service, running

DEVICES = 500


def measure(service: Service, user_id: str, messages: int, ts: bool) -> tuple[float, float]:
    """Messages per second: as the broker acknowledged them, and as they were committed."""
    before = stored(service)
    since_ms = time.time_ns() // 1_000_000 - messages

    def payload(n: int, publisher: int) -> bytes:
        stamp = f',"ts":{since_ms + n}' if ts else ""
        return f'{{"value":{n}.{publisher}{stamp}}}'.encode()

    topics = [f"users/{user_id}/devices/d{n}/feeds/t" for n in range(DEVICES)]
    started = time.perf_counter()
    sent = load.publish(service.mqtt_port, service.mqtt_password, topics, messages, payload)
    published = time.perf_counter() - started
    while stored(service) - before < sent:
        if time.perf_counter() - started > 120:
            raise RuntimeError(f"only {stored(service) - before} arrived")
        time.sleep(0.02)
    committed = time.perf_counter() - started
    return sent / published, sent / committed


def stored(service: Service) -> float:
    return service.metric('roost_readings_total{outcome="stored"}')


def prepare(service: Service) -> str:
    user_id = str(service.sign_in()["id"])
    service.post("/feeds", {"key": "t", "name": "t"})
    for n in range(DEVICES):
        service.post("/devices", {"device_code": f"d{n}", "name": f"d{n}"})
    return user_id


def main() -> None:
    numbers = [arg for arg in sys.argv[1:] if arg.isdigit()]
    messages = int(numbers[0]) if numbers else 50_000
    ts = "--ts" in sys.argv
    with running("--log-level", "warning") as service:
        user_id = prepare(service)
        measure(service, user_id, 5_000, ts)  # the actors start, the pools connect
        for _ in range(3):
            published, committed = measure(service, user_id, messages, ts)
            result = {
                "messages": messages,
                "acknowledged_per_s": round(published),
                "committed_per_s": round(committed),
                "commits": service.metric("roost_commits_total"),
            }
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
