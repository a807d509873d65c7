"""The parts of a relay."""

import pytest
import trio
import trio.testing

from actors.adapters.memory.clocks import ManualClock
from actors.user.mqtt_relay import MqttRelay
from tests.unit.actors.user.relay_scene import Broker, Store


@pytest.fixture
def parts() -> tuple[MqttRelay, Store, Broker]:
    store, broker = Store(), Broker()
    mqtt_relay = MqttRelay(
        store,  # type: ignore[arg-type]
        broker,  # type: ignore[arg-type]
        ManualClock(),
        "1.2",
        leads=lambda: store.leads,
        may_serve=lambda: store.leads and store.is_sure,
        wait_may_serve=store.wait_may_serve,
        written=trio.lowlevel.checkpoint,
    )
    return mqtt_relay, store, broker
