"""`kill -9` at any moment: what the broker acknowledged is stored, and not twice (I1, I2)."""

import json
import operator
import os
import signal
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from tests.real.harness import Person, Roost, eventually, running
from tests.support import wire

MESSAGES = 6_000
KINDS = ("by-ts", "by-id", "bare")
# What was in flight at a kill comes again after `ack_wait`. Some pages every 20 ms until then would
# be more requests than a user may make.
LOOK_S = 0.5


class Stream(threading.Thread):
    """A device that publishes 6,000 QoS 1 messages, and reconnects when it must.

    It sends unacknowledged messages again, as real clients do.
    """

    def __init__(self, roost: Roost, access: dict[str, Any], since_ms: int) -> None:
        super().__init__()
        self.acknowledged: set[int] = set()
        self.sent: Counter[int] = Counter()
        self._roost = roost
        self._access = access
        self._since_ms = since_ms

    def run(self) -> None:
        while len(self.acknowledged) < MESSAGES:
            try:
                self._publish()
            except OSError:
                time.sleep(0.1)

    def _publish(self) -> None:
        login = [self._access[name] for name in ("client_id", "username", "password")]
        with wire.connect("127.0.0.1", self._roost.mqtt_port, *login) as line:
            left = [n for n in range(MESSAGES) if n not in self.acknowledged]
            for first in range(0, len(left), 20):
                window = left[first : first + 20]
                self.sent.update(window)
                wire.publish_all(line, [self._message(n) for n in window])
                self.acknowledged.update(window)
                time.sleep(0.01)

    def _message(self, n: int) -> tuple[str, bytes]:
        kind = KINDS[n % 3]
        body: dict[str, Any] = {"value": n}
        if kind == "by-ts":
            body["ts"] = self._since_ms + n
        elif kind == "by-id":
            body["id"] = f"m{n}"
        return f"{self._access['topic_prefix']}/feeds/{kind}", json.dumps(body).encode()


def distinct(person: Person, feed_id: str) -> set[int]:
    return set(person.values(feed_id))


def test_three_kills_lose_nothing_and_double_nothing_that_has_an_identity(begun: Path) -> None:
    with running(begun) as roost:
        ada = roost.user()
        device = ada.device("stream", *KINDS)
        stream = Stream(roost, device["mqtt"], time.time_ns() // 1_000_000 - MESSAGES)
        stream.start()
        for kills in (1, 2, 3):
            eventually(lambda: len(stream.acknowledged), partial(operator.lt, kills * 1_400))
            roost.kill()
            roost.start()
        stream.join(120)
        assert not stream.is_alive()
        feeds = device["feeds"]
        for kind in KINDS:
            wanted = {n for n in range(MESSAGES) if KINDS[n % 3] == kind}
            probe = partial(distinct, ada, feeds[kind])
            eventually(probe, partial(operator.eq, wanted), every_s=LOOK_S)
        # Late redeliveries (the broker waits for five seconds) have arrived by now.
        time.sleep(6)
        for kind in ("by-ts", "by-id"):
            values = ada.values(feeds[kind])
            assert len(values) == len(set(values))
        bare = Counter(ada.values(feeds["bare"]))
        repeats = sum(bare.values()) - len(bare)
        # The device may have sent a stored message again: those count as two messages.
        again = sum(stream.sent[n] - 1 for n in range(2, MESSAGES, 3))
        print(f"repeats {repeats}, sent again by the device {again}")
        assert repeats <= again + 3 * 20


def test_kill_9_of_the_database_and_of_the_broker_heals_and_loses_nothing(begun: Path) -> None:
    with running(begun) as roost:
        ada = roost.user()
        device = ada.device("stream", *KINDS)
        stream = Stream(roost, device["mqtt"], time.time_ns() // 1_000_000 - MESSAGES)
        stream.start()
        for kills, server in ((1, "postgres"), (2, "nats-server"), (3, "postgres")):
            eventually(lambda: len(stream.acknowledged), partial(operator.lt, kills * 1_400))
            os.kill(roost.pid_of(server), signal.SIGKILL)
        stream.join(120)
        assert not stream.is_alive()
        # The device's messages reach the broker before the database is back; until then the
        # service is `degraded`, or not ready after ten seconds without a canary.
        eventually(lambda: ada.http.get(roost.url + "/readyz").json()["status"] == "ready")
        for kind in KINDS:
            wanted = {n for n in range(MESSAGES) if KINDS[n % 3] == kind}
            feed = device["feeds"][kind]
            probe = partial(distinct, ada, feed)
            eventually(probe, partial(operator.eq, wanted), every_s=LOOK_S)
            if kind != "bare":
                assert len(ada.values(feed)) == len(wanted)
        assert roost.process is not None
        assert roost.process.poll() is None
