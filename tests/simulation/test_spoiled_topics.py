"""A device whose code no broker takes in a topic: what it is told waits, and nothing else does."""

import json

import msgspec
import pytest
import trio

from actors.adapters.memory.broker import port as memory_port
from actors.adapters.mqtt import sending
from actors.ports.broker import Publication
from protocol.dead_letters import COMMANDS, LISTENERS
from tests.simulation.device import VirtualDevice
from tests.simulation.world import World


def spoil(world: World, device: VirtualDevice, code: str) -> None:
    """As an UPDATE of the row by hand."""
    stored = world.store._devices[device.id]
    world.store._devices[device.id] = msgspec.structs.replace(stored, code=code)
    commands = world.store.all_commands
    for each in [each for each in commands.values() if each.device_id == device.id]:
        commands[each.key] = msgspec.structs.replace(each, device_code=code)


async def beep(device: VirtualDevice) -> str:
    made = await device.person.post(
        f"/devices/{device.id}/commands", {"type": "beep", "ttl_s": 600, "parallel": True}
    )
    return str(made["id"])


@pytest.mark.parametrize(
    "code", ["a#b", "+", "a\0b", "", "x" * 70_000], ids=["hash", "plus", "nul", "empty", "long"]
)
async def test_a_device_that_cannot_be_addressed_holds_up_nobody(world: World, code: str) -> None:
    shed = await world.device("shed", "ada").register()
    bad = await world.device("bad", "eve").register()
    await world.device("beside", "eve").register()
    await world.settle()
    spoil(world, bad, code)
    await world.listeners.register("eve")
    lines = list(world.broker.lines)
    refused = [await beep(bad) for _ in range(40)]  # more than may fail alone
    sent = await beep(shed)
    await world.advance(5)
    heard = [text for topic, text in world.broker.sent if topic.endswith("/shed/commands")]
    assert sent in heard[0].decode()
    assert any(topic.endswith("/beside/status") for topic in world.broker.kept)
    assert list(world.broker.lines) == lines  # no connection was ended
    letters = world.store.all_dead_letters
    assert all((COMMANDS, f"{bad.person.id}/{each}") in letters for each in refused)
    assert (LISTENERS, bad.person.id) in letters
    spoil(world, bad, "bad")
    await bad.person.patch(f"/devices/{bad.id}", {"name": "healed"})
    await world.advance(60)
    heard = [text for topic, text in world.broker.sent if topic.endswith("/bad/commands")]
    assert {json.loads(text)["id"] for text in heard} == set(refused)
    assert any(topic.endswith("/bad/status") for topic in world.broker.kept)
    assert (LISTENERS, bad.person.id) not in letters


async def test_what_ends_connections_for_a_reason_that_nobody_knows_is_put_aside(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a code with a wildcard did before topics were looked at: at each command for the device,
    everybody else's waited for a new connection, for ever."""
    monkeypatch.setattr(sending, "fault_of", lambda topic, payload: None)
    shed = await world.device("shed", "ada").register()
    bad = await world.device("bad", "eve").register()
    await world.settle()
    spoil(world, bad, "a#b")
    deaths = []
    ends = memory_port.ends_connection

    def counted(message: Publication) -> bool:
        if ends(message):
            deaths.append(trio.current_time())
        return ends(message)

    monkeypatch.setattr(memory_port, "ends_connection", counted)
    sent = []
    for n in range(600):
        sent.append(await beep(shed))
        if n % 10 == 0:
            await beep(bad)
        await world.advance(2)
    assert 3 <= len(deaths) <= 12  # in twenty minutes
    assert deaths[-1] - deaths[-2] > 200
    heard = [text for topic, text in world.broker.sent if topic.endswith("/shed/commands")]
    assert {json.loads(text)["id"] for text in heard} == set(sent)
    assert any(work == COMMANDS for work, _ in world.store.all_dead_letters)
