"""The minimum that ingest has to do, as a yardstick.

    python -m bench.bare_loop DATABASE_URL MQTT_PORT MQTT_PASSWORD

A gmqtt callback, validation against feeds in memory, COPY into the same table, PUBACK after the
commit; the same sessions. It knows nothing of redelivery, fairness, floods, state, alarms,
dashboards, sums or a second process, and ends with its first error. Prints `ready`, then serves
until SIGTERM.
"""

import asyncio
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import gmqtt
import msgspec
from gmqtt.mqtt.constants import MQTTv311

from actors.adapters.mqtt.link import READ_BYTES_MAX
from actors.adapters.mqtt.plans import OTHERS, plain_plans

COLUMNS = ("feed_num", "device_num", "ts", "digest", "number", "flagged")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Reading(msgspec.Struct):
    value: float
    ts: int | None = None


# One reading, or several by their keys.
one = msgspec.json.Decoder(Reading)
many = msgspec.json.Decoder(dict[str, float])

Row = tuple[int, int, datetime, int, float, bool]


class BareLoop:
    """Feeds and devices by topic; rows until the next commit."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self._devices: dict[tuple[str, str], int] = {}
        self._feeds: dict[tuple[str, str], tuple[int, float, float]] = {}
        self._rows: list[Row] = []
        self._receipts: dict[Any, list[int]] = {}
        self._bell = asyncio.Event()

    async def load(self) -> None:
        for row in await self._database.fetch("SELECT num, user_id::text, code FROM devices"):
            self._devices[row[1], row[2]] = row[0]
        query = "SELECT num, user_id::text, key, min_value, max_value FROM feeds"
        for num, user, key, low, high in await self._database.fetch(query):
            bounds = (float("-inf") if low is None else low, float("inf") if high is None else high)
            self._feeds[user, key] = (num, *bounds)

    def take(self, client: Any, mid: int, payload: bytes, topic: str) -> None:
        _, user, _, device, _, *key = topic.split("/")
        device_num, now = self._devices[user, device], time.time_ns() // 1000
        if key:
            said = one.decode(payload)
            at_us = now if said.ts is None else said.ts * 1000
            self._add(user, key[0], device_num, at_us, said.value)
        else:
            for each, value in many.decode(payload).items():
                self._add(user, each, device_num, now, value)
        self._receipts.setdefault(client, []).append(mid)
        self._bell.set()

    def _add(self, user: str, key: str, device_num: int, at_us: int, value: float) -> None:
        feed_num, low, high = self._feeds[user, key]
        if not low <= value <= high:
            raise ValueError(value)
        ts = EPOCH + timedelta(microseconds=at_us)
        self._rows.append((feed_num, device_num, ts, hash(value), value, False))

    async def commit_forever(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            rows, self._rows = self._rows, []
            receipts, self._receipts = self._receipts, {}
            async with self._database.transaction():
                await self._database.copy_records_to_table(
                    "feed_values", records=rows, columns=COLUMNS
                )
            for client, mids in receipts.items():
                packets = b"".join([b"\x40\x02" + mid.to_bytes(2, "big") for mid in mids])
                client._connection.send_package(packets)

    async def connect(self, port: int, password: str) -> None:
        for plan in plain_plans():
            if not plan.filters or plan.client_id == OTHERS:
                continue
            client = gmqtt.Client(plan.client_id, clean_session=False)
            client.set_auth_credentials("roost", password)
            client._package_handler._handle_qos_1_publish_packet = self._taker(client)
            subscriptions = [gmqtt.Subscription(each, qos=1) for each in plan.filters]
            await client.connect("127.0.0.1", port, keepalive=60, version=MQTTv311)
            client._connection._transport.max_size = READ_BYTES_MAX
            client.subscribe(subscriptions)

    def _taker(self, client: Any) -> Any:
        return lambda mid, payload, topic, properties: self.take(client, mid, payload, topic)


async def serve(url: str, port: int, password: str) -> None:
    database = await asyncpg.connect(url)
    loop = BareLoop(database)
    await loop.load()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    committing = asyncio.create_task(loop.commit_forever())
    await loop.connect(port, password)
    print("ready", flush=True)
    waiting = asyncio.create_task(ended.wait())
    await asyncio.wait({committing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    committing.cancel()
    await database.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
