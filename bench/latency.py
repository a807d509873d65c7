"""One reading at an idle system: from publish to the socket, and to a REST answer that has it.

    python -m bench.latency [ROUNDS]

Prints milliseconds: median and 95th percentile. The second includes the polling itself (a request
takes some milliseconds), so it is an upper bound of the time to the commit.
"""

import json
import statistics
import sys
import time

import trio
from trio_websocket import WebSocketConnection, open_websocket_url

from bench.service import Service, running
from tests.support import wire

PAUSE_S = 0.05


async def measure(service: Service, rounds: int) -> None:
    service.sign_in()
    made = service.post("/devices", {"device_code": "d", "name": "d"})
    feed = service.post("/feeds", {"key": "t", "name": "t", "device_id": made["id"]})["id"]
    access = made["mqtt"]
    login = (access["client_id"], access["username"], access["password"])
    topic = f"{access['topic_prefix']}/feeds/t"
    url = service.url.replace("http", "ws", 1) + f"/ws/devices?token={service.token}"
    shown: list[float] = []
    committed: list[float] = []
    with wire.connect("127.0.0.1", service.mqtt_port, *login) as device:
        async with open_websocket_url(url) as socket:
            for n in range(rounds):
                await trio.sleep(PAUSE_S)
                since = time.perf_counter()
                wire.send(device, topic, b'{"value": %d}' % n)
                await until_value(socket, n)
                shown.append(time.perf_counter() - since)
                while service.get(f"/feeds/{feed}")["last_value"] != n:
                    continue
                committed.append(time.perf_counter() - since)
                wire.answers(device, 1)
    for name, times in (("on the socket", shown), ("committed, seen by REST", committed)):
        result = {
            "what": name,
            "rounds": rounds,
            "median_ms": round(statistics.median(times) * 1000, 2),
            "p95_ms": round(statistics.quantiles(times, n=20)[-1] * 1000, 2),
        }
        print(json.dumps(result), flush=True)


async def until_value(socket: WebSocketConnection, value: int) -> None:
    while True:
        frame = json.loads(await socket.get_message())
        if frame["type"] == "feed_value" and frame["value"] == value:
            return


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with running("--log-level", "warning") as service:
        trio.run(measure, service, rounds)


if __name__ == "__main__":
    main()
