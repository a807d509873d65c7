"""A mistake of ours over one delivery costs that one message, and keeps it."""

from functools import partial
from typing import Any

import pytest

from actors.ingest import gateway, intake
from actors.ingest.decoding import DecodedReadings, decode
from protocol.device.topics import Topic
from tests.simulation.world import World


@pytest.mark.parametrize("where", ["decode", "message", "seen"])
async def test_a_delivery_that_fails_is_kept_as_a_refusal_and_the_connection_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    shed = world.device("shed")
    await shed.publish("temperature", 20)
    await world.settle()

    def fails_on_13(done: Any, *args: Any, **how: Any) -> Any:
        if '"value": 13' in repr(args):
            raise ZeroDivisionError("a mistake")
        return done(*args, **how)

    if where == "seen":
        seen = world.service.gateway._intake._seen
        monkeypatch.setattr(
            world.service.gateway._intake, "_seen", lambda *args: fails_on_13(seen, *args)
        )
    elif where == "message":
        message = DecodedReadings.message
        monkeypatch.setattr(DecodedReadings, "message", lambda *args: fails_on_13(message, *args))
    else:
        monkeypatch.setattr(intake, "decode", partial(fails_on_13, decode))
    sessions = world.service.own_sessions
    connections = sessions.connections()
    for value in (13, 14):
        await shed.publish("temperature", value)
    await world.settle()
    assert world.service.gateway.failures == 1
    assert sessions.connections() == connections
    assert not world.broker.waiting
    refused = [
        (each["reason"], each["payload"])
        for each in (await shed.person.get("/rejected-messages"))["items"]
    ]
    assert sorted(await shed.values("temperature")) == [14, 20]
    assert refused == [("internal_error", '{"value": 13}')]
    assert len(world.logs.unexpected) == 1
    assert "delivery failed" in world.logs.unexpected.pop()


async def test_of_a_topic_that_cannot_be_read_for_a_mistake_the_broker_keeps_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shed = world.device("shed")
    await shed.publish("temperature", 20)
    await world.settle()

    def fails(topic: str) -> Topic:
        raise ZeroDivisionError("a mistake")

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "parsed", fails)
        await shed.publish("temperature", 13)
        await world.advance(1)
        assert world.broker.waiting == 1
        assert not world.service.gateway.room.messages
    await world.settle()  # it comes again
    assert await shed.values("temperature") == [13, 20]
    world.logs.unexpected.clear()
