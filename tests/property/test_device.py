"""A device actor takes whatever the gateway makes of a payload, and settles each message once."""

import msgspec
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.adapters.memory.broker.broker import MemoryBroker
from actors.adapters.memory.broker.port import MemoryBrokerPort
from actors.adapters.memory.clocks import ManualClock
from actors.adapters.memory.store.store import MemoryStore
from actors.adapters.mqtt.plans import plain_plans
from actors.device.actor import DeviceActor
from actors.ingest.canaries import Canaries
from actors.ingest.canary_intake import CanaryIntake
from actors.ingest.counters import Counters
from actors.ingest.gateway import Gateway
from actors.ingest.intake import Intake
from actors.ingest.left_messages import LeftMessages
from actors.ingest.limits import Limits
from actors.ingest.own_sessions import OwnSessions
from actors.ingest.partition_clock import PartitionClocks
from actors.ingest.rejections import KEPT_BYTES_MAX
from actors.ingest.retained_copies import RetainedCopies
from actors.ingest.room import Room
from actors.ports.broker import Delivery
from protocol import codec
from protocol.device.payloads import PAYLOAD_BYTES_MAX
from protocol.device.topics import Topic, prefix
from protocol.messages import FromDevice, Live, Notice
from protocol.problems.coded import code_of
from protocol.problems.detail import Detail
from protocol.records import LoadedDevice, WriteUnit
from tests.property.strategies import (
    NOW,
    STAMPS,
    any_bytes,
    any_text,
    finite,
    nearly,
    scalars,
    status_payloads,
    written,
)
from tests.unit.makers import USER, loaded, some_feed

KEYS = ["a", "b", "c", "d", "e"]
FEEDS = loaded(
    some_feed("a", 1),
    some_feed("b", 2, kind="bool"),
    some_feed("c", 3, kind="text"),
    some_feed("d", 4, min_value=-1.0, max_value=1.0, on_violation="flag"),
    some_feed("e", 5, device_id=None, max_value=0.0),
    some_feed("off", 6, enabled=False),
)
keys = st.sampled_from([*KEYS, "off", "unknown", "ts", "Bad Key"])
right_values = st.integers(-3, 3) | finite | st.booleans() | st.sampled_from(["on", "1.5", "x"])
values = st.dictionaries(keys, right_values | scalars, max_size=4)
payloads = {
    "feeds": written(values | nearly({"values": values, **STAMPS}) | st.lists(values, max_size=3)),
    "status": status_payloads,
    "commands/c1/ack": any_bytes,
}
one_reading = written(right_values | nearly({"value": right_values | scalars, **STAMPS}))
too_large = st.binary(min_size=1, max_size=4).map(lambda data: data * (PAYLOAD_BYTES_MAX + 1))
levels = any_text.map(lambda text: text.replace("/", "."))


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    """A message on one of the device's topics, mostly one that can be read."""
    tail = draw(st.sampled_from([*payloads, "feeds", "feeds/", "feeds/"]))
    if tail == "feeds/":
        tail += draw(st.sampled_from(KEYS) | keys | levels)
    payload = draw(st.one_of(payloads.get(tail, one_reading), any_bytes, too_large))
    return Delivery(
        session="roost-part-0",
        connection=1,
        packet_id=0,
        topic=f"{prefix(USER, 'd1')}/{tail}",
        payload=payload,
        dup=draw(st.booleans()),
        retain=draw(st.booleans()),
    )


class Unlimited(Limits):
    """No rate, and no clock."""

    def __init__(self) -> None:
        self.refused = self.shed = 0

    def takes(self, delivery: Delivery, topic: Topic) -> bool:
        return True


class NoCanaries(Canaries):
    """None is on its way."""

    def __init__(self) -> None:
        self.canaries = {}


class Entrance:
    """The gateway with nothing behind it: what it hands over is kept."""

    def __init__(self) -> None:
        self.handed: list[FromDevice] = []
        self.clock = ManualClock(NOW)
        self.counters = Counters()
        port = MemoryBrokerPort(MemoryBroker(plain_plans()))
        limits = Unlimited()
        flows = PartitionClocks(port.sessions, lambda partition: None, lambda partition, s: None)
        sessions = OwnSessions(
            port,
            MemoryStore(self.clock),
            self.clock,
            flows=flows,
            live_changed=lambda since_us: None,
            confirm=lambda session, no: None,
            can_send=lambda: None,
            wait_may_serve=trio.lowlevel.checkpoint,
            prepared=trio.Event(),
        )
        retained = RetainedCopies(
            None,
            is_seen=True,
            connections=dict,
            tell=lambda notice: None,
            now_us=self.clock.now_us,
            wait_may_serve=trio.lowlevel.checkpoint,
        )
        room = Room(lambda: True)
        left = LeftMessages(port, room)
        intake = Intake(
            self.clock,
            self.counters,
            sessions,
            room,
            left,
            retained=retained,
            flows=flows,
            place_of=lambda topic: self,
            seen=lambda origin, size, qos: None,
        )
        self.gateway = Gateway(
            port,
            sessions,
            room,
            left,
            intake,
            canaries=CanaryIntake(NoCanaries(), limits, lambda unit: None),
            limits=limits,
            retained=retained,
        )
        for redelivery in sessions.redeliveries.values():
            redelivery.connection = 1  # of the deliveries

    def hand(self, message: FromDevice, /, *, control: bool) -> None:
        self.handed.append(message)


def texts_of(unit: WriteUnit) -> list[str]:
    """Every text that a unit has for the store."""
    texts = [reading.value for reading in unit.readings if isinstance(reading.value, str)]
    texts += [reading.message_id for reading in unit.readings if reading.message_id is not None]
    for row in unit.rejections:
        texts += [row.user_id, row.device_id, row.topic, row.payload, row.detail, row.coded or ""]
    if unit.state is not None:
        texts += [unit.state.state.status, unit.state.state.firmware or ""]
    return texts


def check(actor: DeviceActor, message: FromDevice, received: int) -> None:
    before = actor.device.state.version
    effects = actor.step(message, message.origin.at_us)
    (unit,) = [effect for effect in effects if isinstance(effect, WriteUnit)]
    assert unit.receipt is message.origin.receipt and unit.size == message.origin.size
    assert unit.messages == 1 and unit.unowned == 0
    # I4: what was received is stored or refused, each reading of it.
    assert len(unit.readings) + sum(row.readings for row in unit.rejections) == received
    assert message.count == received
    for text in texts_of(unit):
        assert "\0" not in text
        text.encode()
    for row in unit.rejections:
        # Four kilobytes are a third more as base64.
        assert len(row.payload.encode()) <= KEPT_BYTES_MAX * 4 / 3 + 4
    told = [(row.detail, row.coded) for row in unit.rejections]
    for text, coded in [*told, *((each.detail, each.coded) for each in unit.alarms if each.detail)]:
        # A page says it in its reader's language, by the code.
        said = code_of(coded)
        assert str(Detail(said["code"], **said["params"])) == text
    for effect in effects:
        if isinstance(effect, Notice):
            assert codec.decode(effect.body)["reason"]
        elif isinstance(effect, Live):
            assert codec.decode(effect.event.encoded + b"}")["type"]
    grown = actor.device.state.version - before
    assert grown == (unit.state is not None)


@settings(max_examples=80)
@given(st.lists(st.tuples(deliveries(), st.integers(0, 20)), min_size=1, max_size=8))
def test_any_messages_are_each_answered_with_one_unit(
    said: list[tuple[Delivery, int]],
) -> None:
    entrance, actor = Entrance(), DeviceActor(FEEDS)
    for delivery, seconds in said:
        entrance.clock.advance(seconds)
        before = entrance.counters.total.received
        entrance.gateway.deliver(delivery)
        for message in entrance.handed:
            check(actor, message, entrance.counters.total.received - before)
        entrance.handed.clear()
    # Nothing stays behind in the actor but its device and its feeds.
    reborn: LoadedDevice = msgspec.structs.replace(FEEDS, device=actor.device)
    assert DeviceActor(reborn).device == actor.device
