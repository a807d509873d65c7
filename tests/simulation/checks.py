"""The checkers: what must hold at every step, and what must hold when all has settled (I1 to I9).

They know nothing of plans and faults beyond what the book and the broker say was acknowledged.
"""

import base64
from collections import Counter
from typing import TYPE_CHECKING, Any

from actors.device import registry
from actors.ingest import room as rooms
from actors.ingest import writer as writers
from actors.ports.store import FeedPage
from actors.service import Service
from protocol.device.payloads import PAYLOAD_BYTES_MAX
from protocol.device.refusals import StoredRejection
from protocol.records import Feed, StoredReading
from protocol.rest.listing import REJECTIONS
from protocol.times import format_us
from tests.simulation import wording
from tests.simulation.broken import Broken
from tests.simulation.plan import EDGE, HISTORY, Hostile
from tests.simulation.sent_log import Entry, SentLog
from tests.support.lists import devices_of, items

if TYPE_CHECKING:
    from tests.simulation.screen import Screen
    from tests.simulation.world import World

EVERYTHING = 1_000_000
FIRST_US = 1_000_000  # of a feed: readings that may be committed together with its first
ARRIVAL_US = 1_000  # between a delivery and the look at the clock that gives it its time
# Reasons for which a reading that is right may be refused, and the fault that explains it.
EXCUSES = {
    "internal_error": "actor crash",
    "unstorable": "store: poison",
    "bad_time": "clock back",
    "feed_disabled": "settings changed",
    "out_of_range": "settings changed",
    "unknown_feed": "device deleted",
}
TUNED = ("feed_disabled", "out_of_range")  # only of the feed whose settings change


def bounds(world: "World", service: Service) -> None:
    """I5 at every step: no queue, no window, no account beyond what it may be."""
    room = service.gateway.room
    if room.messages > rooms.IN_FLIGHT_MAX:
        raise Broken("I5", f"{room.messages} messages in flight")
    if room.payload_bytes > rooms.BYTES_MAX + PAYLOAD_BYTES_MAX:
        raise Broken("I5", f"{room.payload_bytes} bytes in flight")
    if len(service.devices) > registry.ACTORS_MAX:
        raise Broken("I5", f"{len(service.devices)} device actors")
    lanes = [lane for cell in service.devices.cells for lane in _lanes(cell)]
    lanes += [lane for cell in service.users.cells for lane in _lanes(cell)]
    for lane in lanes:
        if len(lane) > lane.bound:
            raise Broken("I5", f"{len(lane)} messages in a lane of {lane.bound}")
    for outbox in service.users.outboxes:
        box = outbox.statistics()
        if box.waiting > box.bound:
            raise Broken("I5", f"{box.waiting} events in an outbox of {box.bound}")
    if service.writer.statistics().waiting > writers.UNITS_MAX + writers.ROWS_MAX:
        raise Broken("I5", "the writer's queue has no bound")
    for session in world.broker.sessions.values():
        if session.habits.window_holds and session.in_flight > session.habits.window:
            raise Broken("I5", "the broker's window is exceeded")
    if service.counters.total.in_flight < 0:
        raise Broken("I4", f"{service.counters.total.in_flight} readings in flight")


def _lanes(cell: Any) -> tuple[Any, Any]:
    return cell.mailbox.control, cell.mailbox.data


class Kept:
    """Everything that the store holds of some people, in a form for checking."""

    def __init__(self) -> None:
        self.feeds: list[Feed] = []
        self.readings: list[tuple[str, Feed, StoredReading]] = []  # with the owner's name
        self.rejections: list[tuple[str, StoredRejection]] = []

    @classmethod
    async def of(cls, world: "World", names: tuple[str, ...]) -> "Kept":
        kept = cls()
        for name in names:
            user_id = world.person(name).id
            for feed in await world.store.feeds(user_id, EVERYTHING, 0):
                kept.feeds.append(feed)
                page = FeedPage(feed_num=feed.num, limit=EVERYTHING)
                found = await world.store.feed_values(page)
                kept.readings += [(name, feed, reading) for reading in found]
            refused = await items(world.store, REJECTIONS, user_id, EVERYTHING)
            kept.rejections += [(name, each) for each in refused]
        return kept

    def marked(self) -> tuple[Counter[tuple[str, str, str]], dict[str, list[tuple[str, str]]]]:
        """How often each (owner, key, mark) is stored; owner and reason of each refusal."""
        stored: Counter[tuple[str, str, str]] = Counter()
        for owner, feed, reading in self.readings:
            stored[owner, feed.key, _mark(reading.value)] += 1
        refused: dict[str, list[tuple[str, str]]] = {}
        for owner, each in self.rejections:
            for mark in _marks_in(each):
                refused.setdefault(mark, []).append((owner, each.reason))
        return stored, refused

    def firsts(self) -> set[tuple[str, str, str]]:
        """Owner, key and mark of the oldest readings of each feed, and of those that were taken
        together with it."""
        oldest: dict[str, int] = {}
        for _, feed, reading in self.readings:
            oldest[feed.id] = min(reading.ts_us, oldest.get(feed.id, reading.ts_us))
        return {
            (owner, feed.key, _mark(reading.value))
            for owner, feed, reading in self.readings
            if reading.ts_us - oldest[feed.id] <= FIRST_US
        }


def _mark(value: Any) -> str:
    return f"{value:.0f}" if isinstance(value, float) else str(value)


def _marks_in(rejection: StoredRejection) -> set[str]:
    """The numbers in a refused payload: every message of a plan holds one that is its own."""
    payload = rejection.payload.encode()
    if rejection.encoding == "base64":
        payload = base64.b64decode(payload)
    digits = "".join(c if c.isdigit() else " " for c in payload.decode("latin-1"))
    return {f"{int(each)}" for each in digits.split() if len(each) < 20}


class Taken:
    """What a process had taken from the broker when its end began."""

    def __init__(self, world: "World", service: Service) -> None:
        self.messages = [
            published
            for name, redelivery in service.own_sessions.redeliveries.items()
            for packet_id in redelivery.packet_ids
            if (published := world.broker.sessions[name].sent(packet_id)) is not None
        ]
        self._world = world
        self._was_calm = world.is_calm
        self._faults = self._fired()

    def check_drained(self) -> None:
        """I2: an end in order leaves nothing to the next process that this one had taken, unless
        a fault was in its way."""
        if not (self._was_calm and self._world.is_calm and self._faults == self._fired()):
            return
        left = [each.topic for each in self.messages if not (each.acknowledged or each.lost)]
        if left:
            raise Broken("I2", f"taken, and left to the next process: {left}")

    def _fired(self) -> int:
        """How many faults of lines, servers and actors had an effect so far."""
        kinds = ("line", "broker", "session", "store", "actor", "lead:", "process:")
        fired = self._world.trace.fired
        return sum(count for kind, count in fired.items() if kind.startswith(kinds))


async def durable_and_once(world: "World", sent_log: SentLog, names: tuple[str, ...]) -> None:
    """I1 and I2: what was acknowledged is stored or refused with its reason, or counted as refused
    beyond the budget; and not too often."""
    kept = await Kept.of(world, names)
    stored, refused = kept.marked()
    firsts = kept.firsts()
    missing: Counter[str] = Counter()  # by device: neither stored nor kept as refused
    for mark, entry in sent_log.entries.items():
        times = stored[entry.owner, entry.key, mark]
        reasons = [reason for owner, reason in refused.get(mark, []) if owner == entry.owner]
        is_first = (entry.owner, entry.key, mark) in firsts
        missing[entry.step.device] += _check_entry(world, entry, times, reasons, is_first=is_first)
    for device, copies in sent_log.repeats.items():
        owner, _, code = device.partition("/")
        if code == "visitor":
            continue  # what it said before it was deleted is in a feed of another name
        switch = world.device(code, owner).feeds.get("switch")
        found = sum(1 for _, feed, _ in kept.readings if feed.id == switch)
        if found > sum(copy.deliveries for copy in copies):
            raise Broken("I2", f"{device}/switch: {found} stored")
        aside = any(
            name == owner and each.topic.endswith(f"/{code}/feeds/switch")
            for name, each in kept.rejections
        )
        if not (found or aside) and any(copy.qos and not copy.lost for copy in copies) and switch:
            missing[device] += 1
    for device, many in missing.items():
        owner, _, code = device.partition("/")
        counted = await world.store.not_kept(world.person(owner).id, code)
        if many > counted.many:
            raise Broken(
                "I1",
                f"{device}: {many} acknowledged, and neither stored nor refused;"
                f" {counted.many} counted",
            )
    _check_owners(world, sent_log, kept)


def _check_entry(
    world: "World", entry: Entry, times: int, reasons: list[str], *, is_first: bool
) -> bool:
    """Whether it is nowhere, and may have been refused and counted only.

    `is_first`: its feed may have had no reading before.
    """
    what = f"{entry.step} ({len(entry.copies)} taken)"
    visitor = entry.step.device.endswith("/visitor") and world.trace.fired["device deleted"]
    missing = entry.is_owed and not times and not reasons and not visitor
    if missing and not _is_wrong(entry) and not _is_excused_somehow(world, entry):
        raise Broken("I1", f"acknowledged, and neither stored nor refused: {what}")
    most = entry.most + (entry.most_as_first if is_first else 0)
    if times > most:
        raise Broken("I2", f"stored {times} times: {what}")
    copies = len(set(reasons)) if any(copy.copies for copy in entry.copies) else 0
    if len(reasons) > entry.most_refusals + copies:
        raise Broken("I2", f"refused {len(reasons)} times: {what}")
    most = max(most, entry.most_refusals) + copies
    if not entry.has_identity and times + len(reasons) > most:
        raise Broken("I2", f"stored {times} and refused {len(reasons)} times: {what}")
    for reason in reasons:
        if not _is_wrong(entry) and not _is_excused(world, entry, reason):
            raise Broken("I1", f"refused as {reason}: {what}")
    return missing


def _is_excused(world: "World", entry: Entry, reason: str) -> bool:
    """Whether a fault explains that a reading which is right was refused for this reason."""
    if reason == "unstorable":
        return float(entry.mark) in world.store.poison
    if reason in TUNED and entry.key != "tuned":
        return False
    if reason == "internal_error" and entry.step.device in world.poison.devices:
        return True  # its actor could not be built
    # It takes two crashes to set a message aside.
    wanted = 2 if reason == "internal_error" else 1
    fired = world.trace.fired
    again = fired["actor crash, same message again"] if reason == "internal_error" else 0
    return reason in EXCUSES and fired[EXCUSES[reason]] + again >= wanted


def _is_excused_somehow(world: "World", entry: Entry) -> bool:
    """Whether some fault may have had it refused, and counted only."""
    reasons = [reason for reason in EXCUSES if reason != "unstorable"]  # these are kept always
    return any(_is_excused(world, entry, reason) for reason in reasons)


def _is_wrong(entry: Entry) -> bool:
    """Whether the message is to be refused for what it is."""
    step = entry.step
    if isinstance(step, Hostile):
        return True
    return step.form == "wrong" or (step.violates and step.key == "strict")


def _check_owners(world: "World", sent_log: SentLog, kept: Kept) -> None:
    """I8: every reading is in a feed of its own owner and key, every refusal with its owner."""
    for owner, feed, reading in kept.readings:
        entry = sent_log.entries.get(_mark(reading.value))
        if feed.key in ("switch", HISTORY, EDGE):
            continue
        if entry is None or (entry.owner, entry.key) != (owner, feed.key):
            raise Broken("I8", f"{reading.value!r} in {owner}'s feed {feed.key}")
    for owner, rejection in kept.rejections:
        if f"users/{world.person(owner).id}/" not in rejection.topic:
            raise Broken("I8", f"{owner} has a refusal of {rejection.topic}")


async def ordered(world: "World", names: tuple[str, ...]) -> None:
    """I3 in the store: the last value of a feed with `ts` is its newest; no alarm is open twice."""
    kept = await Kept.of(world, names)
    newest: dict[str, StoredReading] = {}
    for _, feed, reading in kept.readings:
        if feed.id not in newest or reading.ts_us > newest[feed.id].ts_us:
            newest[feed.id] = reading
    for feed in kept.feeds:
        last = newest.get(feed.id)
        if feed.key == "by-ts" and (feed.last_us if last else None) != (last and last.ts_us):
            raise Broken("I3", f"last value of {feed.last_us}, newest of {last}")
        if feed.last_us is not None and (last is None or feed.last_us > last.ts_us):
            raise Broken("I3", f"a last value that the history does not have: {feed}")
    alarms = list(world.store.all_alarms.values())
    for alarm in alarms:
        if alarm.cleared_us is not None and alarm.cleared_us < alarm.since_us:
            raise Broken("I3", f"an alarm cleared before it was raised: {alarm}")
    still_open = Counter((a.device_num, a.feed_num, a.kind) for a in alarms if a.cleared_us is None)
    if any(count > 1 for count in still_open.values()):
        raise Broken("I3", f"alarms open twice: {still_open}")


def shown(screen: "Screen", kept: Kept) -> None:
    """I3 on a WebSocket: nothing that was shown and stored is newer than the last value."""
    last = {feed.id: feed.last_us for feed in kept.feeds}
    stored = {(feed.id, format_us(r.ts_us), r.value) for _, feed, r in kept.readings}
    for event in screen.frames:
        if event["type"] == "feed_value":
            seen = event["feed_id"], event["ts"], event["value"]
            last_us = last.get(event["feed_id"])
            if seen in stored and (last_us is None or format_us(last_us) < event["ts"]):
                raise Broken("I3", f"shown {seen}, but the last value is of {last_us}")


def first_only(world: "World", screens: "list[Screen]", kept: Kept) -> None:
    """I3 of readings without `ts`: a redelivery sets no last value, and is not shown."""
    keys = {feed.id for feed in kept.feeds if feed.key == "bare"}
    found: list[tuple[str, Any]] = [
        (format_us(feed.last_us), feed.last_value)
        for feed in kept.feeds
        if feed.id in keys and feed.last_us is not None
    ]
    for screen in screens:
        found += [
            (frame["ts"], frame["value"])
            for frame in screen.frames
            if frame["type"] == "feed_value" and frame["feed_id"] in keys
        ]
    for ts, value in found:
        number = int(value)
        firsts = world.first_deliveries.get(wording.reading("bare", number, number, 0), [])
        if not any(format_us(us) <= ts <= format_us(us + ARRIVAL_US) for us in firsts):
            raise Broken("I3", f"a redelivery of {value} set the last value at {ts}")


async def pictures(world: "World", screens: "list[Screen]") -> None:
    """I3: a dashboard that keeps up shows each device as REST does: nothing fell between the
    snapshot and the stream."""
    for screen in screens:
        if not screen.is_calm:
            continue
        if await _difference(screen):
            await world.settle()  # a lease may have run out between the answer and the look
            if differs := await _difference(screen):
                raise Broken("I3", differs)


async def _difference(screen: "Screen") -> str:
    """Between what it shows and what REST says; empty where there is none."""
    page = await screen.person.get("/devices?limit=1000")
    rest = {device["id"]: device for device in page["items"]}
    for identity in sorted({*rest, *screen.devices}):
        seen, known = screen.devices.get(identity), rest.get(identity)
        if seen is None or known is None or any(known[k] != v for k, v in seen.items()):
            return f"a dashboard shows {seen}, REST {known}"
    return ""


async def counters(world: "World") -> None:
    """I4: what came in is what went out, in total and per device, and as the store counts it."""
    devices = await _devices(world)
    await world.settle()  # a device may have said something just now: from here on nobody does
    process = await world.serving()
    service = process.service
    total = service.counters.total
    if total.in_flight:
        raise Broken("I4", f"settled with {total.in_flight} readings in flight: {total}")
    each = [service.counters.of(device.key) for device in devices]
    if any(account.in_flight for account in each):
        raise Broken("I4", f"a device has readings in flight: {each}")
    stored, refused = process.written()
    if (total.stored, total.refused) != (stored, refused):
        raise Broken("I4", f"{total}, but the store took {stored} and {refused} refusals")
    for redelivery in service.own_sessions.redeliveries.values():
        if redelivery.in_flight:
            raise Broken("I1", f"a receipt of {redelivery.name} was forgotten")


async def _devices(world: "World") -> list[Any]:
    return [d for person in world.people for d in await devices_of(world.store, person.id)]


async def private(world: "World", names: tuple[str, ...]) -> None:
    """I8 over REST: a stranger's device and feed are not there."""
    for name in names:
        for other in world.people:
            if other.name == name:
                continue
            for device in await devices_of(world.store, world.person(name).id):
                status, _ = await other.once("GET", f"/devices/{device.id}")
                if status != 404:
                    raise Broken("I8", f"{other.name} got {status} for {name}'s device")
