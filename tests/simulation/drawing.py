"""How a plan is drawn from a seed: what devices and people do, and what befalls them."""

import random
from typing import Literal

from actors.adapters.memory.store.fates import CALL_FATES
from actors.adapters.memory.store.line import COMMIT_FATES
from tests.simulation import crowding, flooding, hoarding, quiet
from tests.simulation.command_listener import Reaction
from tests.simulation.extremes import FITS, FITS_NOT
from tests.simulation.plan import (
    DEVICES,
    FIRST_NUMBER,
    HASTY,
    KEYS,
    OWNERS,
    AnyStep,
    Arrange,
    Boot,
    Bring,
    Buy,
    Delete,
    Erase,
    Extreme,
    Fault,
    Form,
    Hostile,
    Kill,
    Leave,
    Listen,
    Order,
    Plan,
    Protect,
    Publish,
    Rearrange,
    Report,
    Revoke,
    Stop,
    Tune,
    Vanish,
    Verify,
    Visit,
    Watch,
    Word,
)
from tests.simulation.receiver import Answer

DURATION_S = 30.0
BAD_ROW_SHARE = 0.15
READINGS = 70
HOSTILE = (
    "not json",
    "not utf-8",
    "deep",
    "huge",
    "empty",
    "nul",
    "nan",
    "list of rubbish",
    "unknown feed",
    "bad key",
    "bad time",
    "bad status",
    "ack of nothing",
    "foreign topic",
    "nobody's device",
)


def draw(seed: int) -> Plan:
    """The plan of a seed."""
    rng = random.Random(seed)
    painter = _Painter(rng)
    steps: list[AnyStep] = []
    for _ in range(READINGS):
        steps += painter.readings()
    steps += painter.reports()
    steps += painter.lives_of_devices()
    steps += [painter.hostile() for _ in range(rng.randint(2, 8))]
    steps += [painter.watch(owner) for owner in OWNERS for _ in range(rng.randint(1, 3))]
    steps += [painter.tune() for _ in range(rng.randint(0, 5))]
    for _ in range(rng.randint(0, 8)):
        steps += painter.order()
    for _ in range(rng.randint(0, 4)):
        steps += painter.schedule()
    if rng.random() < 0.5:
        steps.append(Delete(at_s=painter.moment(), device="ada/visitor", purge=rng.random() < 0.5))
    steps += painter.misfortunes()
    if rng.random() < 0.3:
        steps += painter.storm()
    if rng.random() < 0.3:
        steps += painter.spoiled_tune()
    steps += [painter.purchase() for _ in range(rng.randint(0, 8))]
    steps += poisons(random.Random(f"poison {seed}"))
    steps += [painter.visit() for _ in range(rng.choice((0, 0, 1, 2)))]
    steps += histories(random.Random(f"histories {seed}"))
    chances = random.Random(f"replicas {seed}")
    many = chances.choice((1,) * 10 + (2, 3))
    steps += struggles(chances, many)
    steps += refused_commits(random.Random(f"refused commits {seed}"))
    steps += extremes(random.Random(f"extremes {seed}"), painter)
    steps += calls(random.Random(f"calls {seed}"))
    steps += full_disks(random.Random(f"disk {seed}"))
    steps += quiet.draw(random.Random(f"quiet {seed}"), DURATION_S)
    crowd, crowded = crowding.draw(random.Random(f"crowd {seed}"))
    steps += crowded
    flood = [] if crowd else flooding.draw(random.Random(f"flood {seed}"))
    steps += flood
    # A crowd has more than these bounds. The name leaves the plans of `found_at.json` as they were.
    if not crowd:
        steps += hoarding.draw(random.Random(f"hamsters {seed}"), DURATION_S)
    steps += expiries(random.Random(f"minutes {seed}"))
    steps += protections(random.Random(f"app codes {seed}"))
    steps += departures(random.Random(f"departures {seed}"))
    steps += verifications(random.Random(f"couriers {seed}"))
    return Plan(
        seed=seed,
        many=many,
        broker=rng.choice(("nats", "nats", "mosquitto 5", "mosquitto 3.1.1")),
        small=(rng.random() < 0.4 or crowd > 0) and not flood,
        idle_s=rng.choice((2.0, 600.0)),
        poison=float(rng.randrange(FIRST_NUMBER, painter.numbers)) if rng.random() < 0.5 else -1.0,
        reactions=perhaps_deaf(random.Random(f"deaf {seed}"), many, painter.reactions()),
        answers=painter.answers(),
        listens=rng.choice(OWNERS),
        crowd=crowd,
        bad_row=random.Random(f"bad row {seed}").random() < BAD_ROW_SHARE,
        steps=sorted([*steps, *painter.listening()], key=lambda step: step.at_s),
    )


def protections(rng: random.Random) -> list[AnyStep]:
    """Somebody signs in with codes for two or three minutes: in few plans, because they last so
    long."""
    if rng.random() >= 0.06:
        return []
    at_s, again_s = round(rng.uniform(0, DURATION_S), 3), rng.choice((0.0, 0.5, 5.0))
    return [Protect(at_s=at_s, owner="vera", many=rng.randint(2, 4), again_s=again_s)]


def departures(rng: random.Random) -> list[AnyStep]:
    """An account or two that are disabled or deleted, in one plan of ten."""
    if rng.random() >= 0.1:
        return []
    return [
        Leave(
            at_s=round(rng.uniform(0, DURATION_S), 3),
            owner=owner,
            how=rng.choice(("disable", "delete", "leave")),
            watched_s=rng.choice((0.0, 1.0, 5.0)),
            lasts_s=rng.choice((0.0, 2.0, 20.0)),
        )
        for owner in ("nora", "otto")[: rng.randint(1, 2)]
    ]


def verifications(rng: random.Random) -> list[AnyStep]:
    """Mail is set up, and somebody verifies her address: in one plan of twelve, which takes a
    minute longer."""
    if rng.random() >= 1 / 12:
        return []
    at_s, again_s = round(rng.uniform(0, DURATION_S), 3), rng.choice((0.0, 1.0, 10.0))
    return [Verify(at_s=at_s, owner="iris", again_s=again_s)]


# Values of imported readings: ordinary ones, and those whose sums no float64 holds.
_VALUES = (
    (1.0, 2.5, -40.25),
    (1e308, 1.1e308, 1.7e308),
    (1.7e308, -1.7e308, 7.0),
    (5e-324, 0.0),
    (1.7976931348623157e308, -1.7976931348623157e308, 2.2250738585072014e-308, -5e-324),
)
_BAD_ROWS = (
    *("{ts},nan", "{ts},-inf", "{ts},1e309", "{ts},-1e9999", "{ts},twelve", "{ts},", "{ts}"),
    *("{ts},1_000", "{ts},0x10", "{ts},\u0661", '{ts},"1\n2"', "yesterday,1", ",1", "nan,1"),
    *("1e300,1", "99999999999999999999,1", "2999-01-01T00:00:00Z,1", "1999-01-01T00:00:00Z,1"),
)


def full_disks(rng: random.Random) -> list[AnyStep]:
    """In one plan of eight the disk is nearly full for a while."""
    if rng.random() >= 1 / 8:
        return []
    at_s, seconds = round(rng.uniform(0, DURATION_S), 3), round(rng.uniform(1, 10), 3)
    return [Fault(at_s=at_s, kind="disk nearly full", seconds=seconds)]


def histories(rng: random.Random) -> list[AnyStep]:
    """Imports of some minutes or hours, and deletions among them; chances of their own."""
    steps: list[AnyStep] = []
    for _ in range(rng.randint(0, 5)):
        at_s, owner = round(rng.uniform(0, DURATION_S), 3), rng.choice(OWNERS)
        age_s = rng.choice((60.0, 5_000.0, 80_000.0))
        values, every_s = rng.choice(_VALUES), rng.choice((0.5, 25.0, 400.0))
        many = rng.randint(1, min(12, int(age_s / every_s) + 1))  # none lies ahead
        brought = [rng.choice(values) for _ in range(many)]
        steps.append(
            Bring(
                at_s=at_s,
                owner=owner,
                values=brought,
                age_s=age_s,
                every_s=every_s,
                bad=rng.choices(_BAD_ROWS, k=rng.choice((0, 0, 1, 5))),
            )
        )
        if rng.random() < 0.4:
            steps.append(
                Erase(
                    at_s=round(at_s + rng.uniform(0, 9), 3),
                    owner=owner,
                    age_s=age_s,
                    lasts_s=rng.choice((1.0, 70.0, 4_000.0)),
                )
            )
    return steps


def expiries(rng: random.Random) -> list[AnyStep]:
    """In one plan of three, sums of minutes expire before some or all of what histories bring."""
    if rng.random() >= 1 / 3:
        return []
    return [
        Fault(
            at_s=round(rng.uniform(0, DURATION_S), 3),
            kind="minutes expire",
            seconds=rng.choice((0.0, 3_600.0, 30_000.0, 70_000.0)),
        )
        for _ in range(rng.randint(1, 3))
    ]


def struggles(rng: random.Random, many: int) -> list[AnyStep]:
    """What befalls a lead and single processes: where there are several, and now and then where
    there is one; chances of their own."""
    steps: list[AnyStep] = []
    for _ in range(rng.randint(1, 4) if many > 1 else rng.choice((0, 0, 0, 1))):
        kind, seconds = rng.choice(_STRUGGLES)
        steps.append(
            Fault(
                at_s=round(rng.uniform(0, DURATION_S), 3),
                kind=kind,
                seconds=round(rng.uniform(*seconds), 3),
                target=rng.choice(("leader", "leader", "standby")),
            )
        )
    if rng.random() < 0.06:
        steps.append(Fault(at_s=round(rng.uniform(0, DURATION_S), 3), kind="outage", seconds=10.0))
    for _ in range(rng.choice((0, 0, 1)) if many > 1 else 0):
        at_s, wait = round(rng.uniform(0, DURATION_S), 3), rng.randrange(400)
        if rng.random() < 0.5:
            steps.append(Kill(at_s=at_s, steps=wait, down_s=4.0, whom="standby"))
        else:
            steps.append(Stop(at_s=at_s, steps=wait, down_s=4.0, whom="standby"))
    return steps


def refused_commits(rng: random.Random) -> list[AnyStep]:
    """In one plan of eight somebody else leads for a moment, and what is at hand is refused."""
    if rng.random() >= 1 / 8:
        return []
    at_s = round(rng.uniform(0, DURATION_S - 5), 3)
    return [Fault(at_s=at_s, kind="overtaken in a commit")]


def perhaps_deaf(rng: random.Random, many: int, reactions: list[Reaction]) -> list[Reaction]:
    """Of several processes more than one may note that a command expires: in a third of their plans
    no device answers any."""
    return [Reaction(after_s=None)] if many > 1 and rng.random() < 1 / 3 else reactions


_STRUGGLES: list[tuple[str, tuple[float, float]]] = [
    ("lead lost", (0.0, 0.0)),
    ("lead twice", (0.0, 0.0)),
    ("lead answer lost", (0.0, 0.0)),
    ("lead late", (5.0, 20.0)),
    *[("process paused", (3.0, 30.0))] * 2,
    ("parted from store", (1.0, 20.0)),
    ("parted from broker", (1.0, 20.0)),
]


def extremes(rng: random.Random, painter: "_Painter") -> list[AnyStep]:
    """Readings at the edge of float64, in some plans; chances of their own."""
    if rng.random() < 0.6:
        return []
    times = sorted(rng.sample(range(round(DURATION_S * 1000)), rng.randint(3, 10)))
    return [
        Extreme(
            at_s=ms / 1000,
            device="/".join(rng.choice(DEVICES[:2])),
            number=painter.number(),
            said=rng.choice(rng.choice((FITS, FITS, FITS_NOT))),
            twice=rng.random() < 0.2,
        )
        for ms in times
    ]


def poisons(rng: random.Random) -> list[AnyStep]:
    """Rows that nobody can work with, in half of the plans; drawn beside everything else."""
    if rng.random() < 0.5:
        return []
    steps: list[AnyStep] = []
    for _ in range(rng.randint(2, 8)):
        kind, seconds = rng.choice(_POISONS)
        at_s = round(rng.uniform(0, DURATION_S), 3)
        steps.append(Fault(at_s=at_s, kind=kind, seconds=round(rng.uniform(*seconds), 3)))
    return steps


def calls(rng: random.Random) -> list[AnyStep]:
    """What becomes of single calls to the store, in half of the plans; chances of their own."""
    if rng.random() < 0.5:
        return []
    steps: list[AnyStep] = []
    for _ in range(rng.randint(2, 12)):
        at_s, fate = round(rng.uniform(0, DURATION_S), 3), rng.choice(CALL_FATES)
        target = rng.choice(("", rng.choice(CALLS), rng.choice(CALLS)))
        steps.append(Fault(at_s=at_s, kind=f"call {fate}", target=target))
    if rng.random() < 0.4:
        at_s, lasts_s = round(rng.uniform(0, DURATION_S), 3), round(rng.uniform(0.5, 6.0), 3)
        steps.append(Fault(at_s=at_s, kind="store flaky", seconds=lasts_s))
    return steps


# Those that change something, and those on which others wait.
CALLS = (
    *("claim_occurrences", "claim_commands", "claim_deliveries", "plan_schedules", "roll_up"),
    *("commands_sent", "commands_unsent", "nudge_commands", "delivery_tried"),
    *("add_command", "cancel_command", "add_order", "finish_order"),
    *("add_schedule", "update_schedule", "delete_schedule"),
    *("add_history", "delete_history", "update_feed", "add_feed", "add_devices", "delete_device"),
    *("add_session", "delete_sessions", "add_audit", "follow_people", "sessions_alive", "session"),
    *("put_aside", "clear_dead_letters", "count_dead_letters", "due_dead_letters"),
    *("load_devices", "snapshot", "session_memory", "hold_lead", "resign_lead"),
    *("online_devices", "pending_alarms", "listeners", "listener", "devices", "feeds"),
)

_POISONS: list[tuple[str, tuple[float, float]]] = [
    *[("job fails", (0.0, 0.0))] * 2,
    *[("zone unknown", (0.0, 0.0))] * 2,
    ("row spoiled", (0.5, 20.0)),
    *[("payload spoiled", (0.5, 20.0))] * 2,
    ("secret spoiled", (0.5, 20.0)),
    *[("alarm spoiled", (3.0, 20.0))] * 2,
    *[("session spoiled", (0.5, 20.0))] * 2,
    *[("sums fail", (3.0, 20.0))] * 2,
    ("delivery spoiled", (0.5, 20.0)),
    ("junk notices", (0.0, 0.0)),
]


class _Painter:
    """Draws steps; numbers are given once."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.numbers = FIRST_NUMBER
        # Some plans are crowded: much happens in a moment.
        self.moments = sorted(rng.uniform(0, DURATION_S) for _ in range(rng.choice((3, 200))))

    def moment(self) -> float:
        return round(self.rng.choice(self.moments) + self.rng.random() * 0.5, 3)

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def device(self) -> str:
        return "/".join(self.rng.choice(DEVICES))

    def listening(self) -> list[AnyStep]:
        """Clients of a listener; all in all each is there within two seconds of its login."""
        rng = self.rng
        return [
            Listen(
                at_s=self.moment(),
                after_s=round(rng.uniform(0.0, 1.2), 3),
                deaf_s=round(rng.choice((0.0, rng.uniform(0.0, 0.6))), 3),
            )
            for _ in range(rng.choice((0, 1, 4)))
        ]

    def arrivals(self) -> tuple[str, list[float]]:
        """How a device's own line treats a message; what is dropped is sent again."""
        fate = self.rng.choices(
            ("", "delayed", "sent twice", "dropped, sent again", HASTY), (66, 12, 12, 6, 4)
        )[0]
        delay_s = round(self.rng.uniform(0.01, 4.0), 3)
        match fate:
            case "delayed" | "dropped, sent again":
                return fate, [delay_s]
            case "sent twice":
                return fate, [0.0, self.rng.choice((0.0, delay_s))]
            case _:
                return fate, [0.0]

    def readings(self) -> list[AnyStep]:
        """One reading, or now and then a burst of one device."""
        key = self.rng.choice(KEYS)
        at_s, device = self.moment(), self.device()
        count = self.rng.choices((1, 12), (97, 3))[0]
        return [self._reading(at_s, device, key) for _ in range(count)]

    def _reading(self, at_s: float, device: str, key: str) -> Publish:
        rng = self.rng
        forms: dict[str, Form] = {"by-ts": "ts", "by-id": "id", "bare": "bare", "switch": "repeat"}
        others: tuple[Form, Form] = ("ts", "bare")
        form = forms[key] if key in forms else rng.choice(others)
        if key == "by-ts" and rng.random() < 0.2:
            form = "several"
        if key in ("bare", "tuned") and rng.random() < 0.15:
            form = "wrong"
        fate, arrivals = self.arrivals()
        return Publish(
            at_s=at_s,
            device=device,
            key=key,
            form=form,
            number=self.number(),
            arrivals=arrivals,
            qos=0 if rng.random() < 0.08 else 1,
            retain=key == "bare" and rng.random() < 0.05,
            violates=key in ("limited", "strict") and rng.random() < 0.4,
            age_s=rng.choice((0.0, 0.0, 1.0, 3600.0)),
            fate=fate,
        )

    def reports(self) -> list[AnyStep]:
        steps: list[AnyStep] = []
        for owner, code in DEVICES[:3]:
            # Of two of one moment the one that comes last counts, whichever was said first.
            times = sorted({self.moment() for _ in range(self.rng.randint(1, 6))})
            for mark, at_s in enumerate(times, 1):
                _, arrivals = self.arrivals()
                steps.append(
                    Report(at_s=at_s, device=f"{owner}/{code}", mark=mark, arrivals=arrivals)
                )
        return steps

    def lives_of_devices(self) -> list[AnyStep]:
        steps: list[AnyStep] = []
        for owner, code in DEVICES:
            device = f"{owner}/{code}"
            boots = sorted(self.moment() for _ in range(self.rng.randint(0, 3)))
            for session, at_s in enumerate(boots, 1):
                steps.append(Boot(at_s=at_s, device=device, session=session))
                late_s = self.rng.choice((0.0, 3.0))
                gone_s = at_s + self.rng.uniform(0.1, 6)
                steps.append(Vanish(at_s=gone_s, device=device, late_s=late_s))
            for _ in range(self.rng.randint(0, 2)):
                word = self.rng.choice(("online", "sleeping", "offline"))
                retain = self.rng.random() < 0.3
                steps.append(Word(at_s=self.moment(), device=device, status=word, retain=retain))
        return steps

    def hostile(self) -> AnyStep:
        return Hostile(
            at_s=self.moment(),
            device=self.device(),
            shape=self.rng.choice(HOSTILE),
            number=self.number(),
        )

    def watch(self, owner: str) -> AnyStep:
        return Watch(
            at_s=self.moment(),
            owner=owner,
            lasts_s=self.rng.uniform(1, 2 * DURATION_S),
            pace_s=self.rng.choice((0.0, 0.0, 0.3, 2.0, 40.0)),
            batch=self.rng.random() < 0.3,
            vanishes=self.rng.random() < 0.3,
        )

    def tune(self) -> AnyStep:
        hangs_up_s = self.rng.choice((None, None, 0.0, 0.001, 0.1))
        return Tune(
            at_s=self.moment(),
            device="/".join(self.rng.choice(DEVICES[:3])),
            enabled=self.rng.random() < 0.7,
            max_value=self.rng.choice((None, FIRST_NUMBER + 40.0, 2.0 * FIRST_NUMBER)),
            hangs_up_s=hangs_up_s,
        )

    def spoiled_tune(self) -> list[AnyStep]:
        """A rule is changed, nobody hears of it or asks again, and readings come."""
        at_s = self.moment()
        device = "/".join(self.rng.choice(DEVICES[:3]))
        return [
            self._reading(at_s, device, "tuned"),
            Fault(at_s=round(at_s + 0.1, 3), kind="answer lost"),
            Tune(
                at_s=round(at_s + 0.2, 3),
                device=device,
                enabled=self.rng.random() < 0.3,
                max_value=FIRST_NUMBER + 1.0,
                hangs_up_s=1.0,
            ),
            *[self._reading(round(at_s + s, 3), device, "tuned") for s in (2.0, 4.0, 12.0)],
        ]

    def order(self) -> list[AnyStep]:
        """A command, or three in a row; now and then one of them is cancelled."""
        rng = self.rng
        device, at_s = self.device(), self.moment()
        orders: list[AnyStep] = []
        for _ in range(rng.choice((1, 1, 3))):
            number = self.number()
            orders.append(
                Order(
                    at_s=at_s,
                    device=device,
                    number=number,
                    ttl_s=rng.choice((2, 20, 600)),
                    parallel=rng.random() < 0.25,
                    twice=rng.random() < 0.2,
                )
            )
            if rng.random() < 0.15:
                late_s = rng.choice((0.0, 0.01, 8.0))
                orders.append(Revoke(at_s=at_s + late_s, device=device, number=number))
        return orders

    def schedule(self) -> list[AnyStep]:
        """A schedule for once or every other minute, perhaps changed before it fires."""
        rng = self.rng
        device, at_s, number = self.device(), self.moment(), self.number()
        in_s = round(rng.choice((0.0, rng.uniform(0.5, 12), rng.uniform(5, 40))), 3)
        steps: list[AnyStep] = [
            Arrange(
                at_s=at_s,
                device=device,
                number=number,
                in_s=in_s,
                rule=rng.choice(("", "", "FREQ=MINUTELY", "FREQ=MINUTELY;INTERVAL=2;COUNT=4")),
                misfire=rng.choice(("fire", "fire", "skip")),
                grace_s=rng.choice((1, 6, 300)),
            )
        ]
        if rng.random() < 0.3:
            owner = device.partition("/")[0]
            changed_s = round(at_s + rng.uniform(0.2, max(0.3, in_s)), 3)
            change: Literal["grace", "pause", "delete"]
            change = rng.choice(("grace", "pause", "pause", "delete"))
            steps.append(Rearrange(at_s=changed_s, owner=owner, number=number, change=change))
        return steps

    def purchase(self) -> AnyStep:
        rng = self.rng
        return Buy(
            at_s=self.moment(),
            owner=rng.choice(OWNERS),
            number=self.number(),
            quantity=rng.choice((1, 1, 2, 5)),
            twice=rng.random() < 0.3,
            cancels=rng.random() < 0.3,
        )

    def visit(self) -> AnyStep:
        rng = self.rng
        lasts_s = round(rng.uniform(0.1, 12), 3)
        return Visit(at_s=self.moment(), owner=rng.choice(OWNERS), lasts_s=lasts_s)

    def reactions(self) -> list[Reaction]:
        """Most hear and answer at once; some are slow, deaf, fail, or never end."""
        rng = self.rng
        return [
            Reaction(
                after_s=rng.choice((0.0, 0.0, 0.05, 3.0, None)),
                ends_s=rng.choice((0.0, 0.5, 12.0, None)),
                outcome=rng.choice(("succeeded", "succeeded", "failed")),
            )
            for _ in range(rng.randint(1, 7))
        ]

    def answers(self) -> list[Answer]:
        """Of receivers: most take what comes; some refuse, are slow, or hang."""
        rng = self.rng
        return [
            Answer(
                status=rng.choice((200, 200, 204, 302, 500, 0)),
                after_s=rng.choice((0.0, 0.0, 0.3, 9.0)),
            )
            for _ in range(rng.randint(1, 7))
        ]

    def misfortunes(self) -> list[AnyStep]:
        rng = self.rng
        steps: list[AnyStep] = []
        for _ in range(rng.randint(0, 10)):
            kind, seconds = rng.choice(_MISFORTUNES)
            lasts_s = rng.uniform(*seconds)
            if kind == "clock":
                lasts_s = round(lasts_s * rng.choice((-1, 1)))
            steps.append(Fault(at_s=self.moment(), kind=kind, seconds=lasts_s))
        for _ in range(rng.choice((0, 1, 2, 3))):
            steps.append(
                Kill(
                    at_s=self.moment(),
                    steps=rng.choice((0, rng.randrange(40), rng.randrange(400))),
                    down_s=rng.choice((0.0, 0.5, 8.0)),
                )
            )
        if rng.random() < 0.3:
            steps.append(
                Stop(at_s=self.moment(), steps=rng.randrange(400), down_s=rng.choice((0.0, 1.0)))
            )
        return steps

    def storm(self) -> list[AnyStep]:
        """Misfortunes that come together: a slow database, bursts, a lost connection, a kill."""
        rng = self.rng
        at_s = round(rng.uniform(0, DURATION_S - 10), 3)
        device, key = self.device(), rng.choice(("bare", "by-ts", "tuned"))
        lost = rng.choice(("line cut", "broker killed", "session lost", "line stalls"))
        bursts = (at_s, at_s + 0.8, at_s + rng.uniform(1.5, 4))
        steps: list[AnyStep] = [
            Fault(at_s=at_s, kind=rng.choice(("store slow", "store away")), seconds=6.0),
            *[Fault(at_s=at_s + 1.0, kind=lost, seconds=0.5) for _ in range(rng.randint(1, 4))],
            Kill(at_s=at_s + rng.uniform(2, 8), steps=rng.randrange(40), down_s=0.5),
        ]
        for burst_s in bursts:
            steps += [self._reading(round(burst_s, 3), device, key) for _ in range(8)]
        return steps


_MISFORTUNES: list[tuple[str, tuple[float, float]]] = [
    *[("line cut", (0.0, 0.0))] * 3,
    ("line stalls", (0.1, 8.0)),
    ("line slow", (1.0, 10.0)),
    ("broker killed", (0.0, 3.0)),
    ("broker away", (0.1, 8.0)),
    ("session lost", (0.0, 0.0)),
    *[("store away", (0.1, 8.0))] * 2,
    ("store slow", (1.0, 8.0)),
    *[(f"commit {fate}", (0.0, 0.0)) for fate in COMMIT_FATES],
    ("answer lost", (0.0, 0.0)),
    ("load fails", (0.0, 0.0)),
    *[("actor crash", (0.0, 0.0))] * 2,
    ("actor crash twice", (0.0, 0.0)),
    ("clock", (1.0, 100_000.0)),
]
