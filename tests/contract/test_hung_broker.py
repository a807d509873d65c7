"""A broker that stands still: its connections end, whatever was written to it, and come again."""

import os
import random
import signal
from pathlib import Path

import pytest
import trio

from actors.adapters.mqtt import link
from actors.adapters.mqtt.broker import MqttBroker
from actors.adapters.mqtt.plans import partition_plans
from actors.ports.broker import Publication
from tests.contract.brokers import Recorder
from tests.contract.servers import Nats

HEARTBEAT_S = 1
CHUNK = bytes(64 * 1024)


async def no_memory(session: str) -> None:
    await trio.lowlevel.checkpoint()


async def test_a_broker_that_hangs_is_left_although_it_has_not_read_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "KEEPALIVE_S", HEARTBEAT_S)
    monkeypatch.setattr(link, "SILENCE_MAX_S", 2.0 * HEARTBEAT_S)
    monkeypatch.setattr(link, "LOOK_EVERY_S", 0.5 * HEARTBEAT_S)
    server, inbox = Nats(tmp_path), Recorder()
    process = await server.start()
    broker = MqttBroker(server.address, partition_plans(1), random.Random(1), "3.1.1")
    sessions = {plan.client_id for plan in broker.sessions}
    try:
        async with broker.open(inbox, no_memory):
            await inbox.until(lambda: {name for name, _ in inbox.connections} == sessions)
            await broker.wait_subscribed()
            os.kill(process.pid, signal.SIGSTOP)
            while broker.publish_nowait("nobody/listens", CHUNK):
                await trio.lowlevel.checkpoint()
            await inbox.until(lambda: {name for name, _ in inbox.lost} == sessions)
            # A message waits meanwhile, and is not taken for sent.
            assert await broker.publish([Publication("nobody/listens", b"1")]) == [False]
            os.kill(process.pid, signal.SIGCONT)
            again = len(inbox.connections)
            await inbox.until(lambda: len(inbox.connections) >= again + len(sessions))
            with trio.fail_after(20):
                while await broker.publish([Publication("nobody/listens", b"2")]) != [True]:
                    await trio.sleep(0.1)
    finally:
        os.kill(process.pid, signal.SIGCONT)
        await server.server.stop(process)
