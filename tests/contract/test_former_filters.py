"""A session that an earlier version subscribed by other filters: no message comes twice, none is
lost."""

import random

import msgspec
import pytest
import trio

from actors.adapters.mqtt.broker import MqttBroker
from actors.adapters.mqtt.client import Address
from actors.adapters.mqtt.plans import plain_plans
from actors.ports.broker import SessionPlan
from tests.contract.brokers import Recorder, mqtt_rig, opened

U = "06b72fa5-f615-4659-a9f9-4d313aba495d"


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_filters_of_an_earlier_version_end_with_the_first_connection(
    mosquitto_address: Address, version: str
) -> None:
    name = f"roost-former-{version}"
    out = SessionPlan(client_id="former-out", filters=(), persistent=False)
    plan = msgspec.structs.replace(plain_plans()[0], client_id=name)
    before = ("users/+/devices/+/feeds", *plan.former)
    old = msgspec.structs.replace(plan, filters=before, former=())
    base = f"users/{U}/devices/former-{version.replace('.', '-')}"
    rig = mqtt_rig(mosquitto_address, [old, out], version, 0)
    async with rig.open():
        pass
    await rig.publish(f"{base}/feeds/t", b"waits")
    broker = MqttBroker(mosquitto_address, [plan, out], random.Random(1), version)
    recorder = Recorder(broker)
    async with opened(broker, recorder):
        await recorder.received(1)
        await trio.sleep(0.5)  # the UNSUBSCRIBE follows the SUBACK
        await rig.publish(f"{base}/feeds/t", b"once")
        await rig.publish(f"{base}/feeds/t/x", b"last")
        await recorder.until(lambda: any(d.payload == b"last" for d in recorder.deliveries))
        mine = [d for d in recorder.deliveries if d.topic.startswith(base)]
        assert [d.payload for d in mine] == [b"waits", b"once", b"last"]
        for each in mine:
            broker.acknowledge(each.session, each.connection, [each.packet_id])
        await recorder.until(lambda: recorder.confirmed)
