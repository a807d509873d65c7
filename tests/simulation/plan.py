"""A plan: all that will be done to a world, drawn from a seed before anything runs.

Every chance is taken here, so a step can be left out without moving the others: that is what makes
a plan shrink. It is plain data and travels as JSON.
"""

import functools
from typing import Any, Literal

import msgspec

from tests.simulation.command_listener import Reaction
from tests.simulation.receiver import Answer

# Numbers are told from times and sessions by their size.
FIRST_NUMBER = 10_000
OWNERS = ("ada", "bob")
# (owner, code); the visitor is deleted and comes again.
DEVICES = (("ada", "a0"), ("ada", "a1"), ("bob", "b0"), ("ada", "visitor"))
CROWD_OWNER = "eve"  # whose devices outnumber the bounds of a small service, in some plans
HOARDERS = ("max", "mia")  # who want more than they may have, in some plans
KEYS = ("by-ts", "by-id", "bare", "switch", "tuned", "limited", "strict")
HISTORY = "history"  # of each owner a feed without a device, for imports
EDGE = "edge"  # of some devices a feed for values at the edge of float64
LIMIT = 1_000_000.0  # what lies above it violates the thresholds of "limited" and "strict"

Form = Literal["ts", "id", "bare", "several", "wrong", "repeat"]


class Step(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    at_s: float


HASTY = "did not wait for its CONNACK"  # the fate of what is sent in one write with a CONNECT


class Publish(Step, frozen=True, kw_only=True):
    """A reading (or two, `several`), once for each arrival, so many seconds after `at_s`.

    `number` is its value and nobody else's; `violates` puts it above the thresholds; `age_s` is
    how long before `at_s` it was measured.
    """

    device: str
    key: str
    form: Form
    number: int
    arrivals: list[float]
    qos: int = 1
    retain: bool = False
    violates: bool = False
    age_s: float = 0.0
    fate: str = ""  # of the device's own line, for the count of faults


class Extreme(Step, frozen=True, kw_only=True):
    """A reading as it stands in JSON, at the edge of float64 or beyond; perhaps sent twice."""

    device: str
    number: int
    said: str
    twice: bool = False


class Flood(Step, frozen=True, kw_only=True):
    """A device of another owner sends so many readings, one in so many seconds."""

    many: int
    every_s: float
    qos: int = 1


class Hoard(Step, frozen=True, kw_only=True):
    """Somebody wants so many more of a noun of `hoarding.NOUNS`."""

    owner: str
    noun: str
    many: int


class Shed(Step, frozen=True, kw_only=True):
    """So many of these are deleted."""

    owner: str
    noun: str
    many: int


class Report(Step, frozen=True, kw_only=True):
    """A status with `ts`: report number `mark` of the device, its temperature."""

    device: str
    mark: int
    arrivals: list[float]


class Word(Step, frozen=True, kw_only=True):
    """A status without `ts`."""

    device: str
    status: str
    retain: bool = False


class Boot(Step, frozen=True, kw_only=True):
    """The device starts, with a will of this boot."""

    device: str
    session: int


class Vanish(Step, frozen=True, kw_only=True):
    """Its line is cut, `late_s` later the broker sends its will."""

    device: str
    late_s: float


class Hostile(Step, frozen=True, kw_only=True):
    device: str
    shape: str
    number: int
    qos: int = 1


class Watch(Step, frozen=True, kw_only=True):
    """Somebody opens a dashboard for a while."""

    owner: str
    lasts_s: float
    pace_s: float = 0.0
    batch: bool = False
    vanishes: bool = False


class Tune(Step, frozen=True, kw_only=True):
    """The settings of the device's feed `tuned` change; perhaps the client hangs up meanwhile."""

    device: str
    enabled: bool
    max_value: float | None
    hangs_up_s: float | None = None


class Delete(Step, frozen=True, kw_only=True):
    device: str
    purge: bool


class Order(Step, frozen=True, kw_only=True):
    """A command for a device, by its number; perhaps it is asked for twice."""

    device: str
    number: int
    ttl_s: int
    parallel: bool = False
    twice: bool = False


class Revoke(Step, frozen=True, kw_only=True):
    """The command of that number is cancelled, if it is not too late."""

    device: str
    number: int


class Arrange(Step, frozen=True, kw_only=True):
    """A schedule for a device: `in_s` after `at_s`, once or by a rule."""

    device: str
    number: int
    in_s: float
    rule: str = ""
    misfire: str = "fire"
    grace_s: int = 300


class Rearrange(Step, frozen=True, kw_only=True):
    """The schedule of that number is changed, paused or deleted."""

    owner: str
    number: int
    change: Literal["grace", "pause", "delete"]


class Buy(Step, frozen=True, kw_only=True):
    """An order in one's own shop; perhaps it is sent twice, perhaps cancelled."""

    owner: str
    number: int
    quantity: int
    twice: bool = False
    cancels: bool = False


class Bring(Step, frozen=True, kw_only=True):
    """Readings are imported into one's history: the first is `age_s` old, the others follow.

    `bad`: rows among them that are refused; in each `{ts}` stands for a time that is right.
    """

    owner: str
    values: list[float]
    age_s: float
    every_s: float
    bad: list[str] = []


class Erase(Step, frozen=True, kw_only=True):
    """What one's history has of `lasts_s` from `age_s` ago on is deleted."""

    owner: str
    age_s: float
    lasts_s: float


class Visit(Step, frozen=True, kw_only=True):
    """A second sign-in that watches for a while and signs out."""

    owner: str
    lasts_s: float


class Protect(Step, frozen=True, kw_only=True):
    """Somebody turns on a second factor, and signs in with so many codes; each is sent again after
    so many seconds."""

    owner: str
    many: int
    again_s: float


class Verify(Step, frozen=True, kw_only=True):
    """Somebody signs up, verifies her address by the link of a mail, and then another one; each
    link is opened again after so many seconds."""

    owner: str
    again_s: float


class Leave(Step, frozen=True, kw_only=True):
    """An account of its own is watched for a while, and locked: disabled by the operator and
    enabled `lasts_s` after it is out, deleted by the operator, or by its owner (`leave`)."""

    owner: str
    how: Literal["disable", "delete", "leave"]
    watched_s: float = 1.0
    lasts_s: float = 0.0


class Listen(Step, frozen=True, kw_only=True):
    """A client of the person's listener logs in, subscribes `after_s` later, and for `deaf_s` the
    broker brings it neither what it says nor what it retains. It comes back after each end of the
    service."""

    after_s: float
    deaf_s: float


class Fault(Step, frozen=True, kw_only=True):
    """One of `faults.ACTS`."""

    kind: str
    seconds: float = 0.0
    target: str = ""


class Kill(Step, frozen=True, kw_only=True):
    """`kill -9`, so many task steps after `at_s`: at any await."""

    steps: int
    down_s: float
    whom: str = "leader"


class Stop(Step, frozen=True, kw_only=True):
    """SIGTERM, so many task steps after `at_s`, and a new start."""

    steps: int = 0
    down_s: float
    whom: str = "leader"


AnyStep = (
    Publish
    | Extreme
    | Flood
    | Hoard
    | Shed
    | Report
    | Word
    | Boot
    | Vanish
    | Hostile
    | Watch
    | Tune
    | Delete
    | Order
    | Revoke
    | Arrange
    | Rearrange
    | Buy
    | Bring
    | Erase
    | Visit
    | Protect
    | Verify
    | Leave
    | Listen
    | Fault
    | Kill
    | Stop
)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`reactions`: how devices take the commands that reach them, one after the other, again and
    again; without any, all hear and answer at once. `answers`: likewise of those who receive
    webhooks. `many`: processes, one of which leads. `listens`: the owner who has a listener.
    `small`: the service has tiny bounds, so that every one of them is reached. `crowd`: so many
    devices has a third owner. `bad_row`: when all is well, a device cannot be read."""

    seed: int
    broker: str
    many: int = 1
    small: bool
    idle_s: float
    poison: float
    reactions: list[Reaction] = []
    answers: list[Answer] = []
    listens: str = "bob"
    crowd: int = 0
    bad_row: bool = False
    steps: list[AnyStep]


@functools.cache
def _usual(kind: type[AnyStep]) -> dict[str, Any]:
    return {f.name: f.default for f in msgspec.structs.fields(kind)}


def described(step: AnyStep) -> str:
    """A step in one line, without what is as usual."""
    usual = _usual(type(step))
    fields = msgspec.structs.asdict(step)
    at_s = fields.pop("at_s")
    said = ", ".join(f"{k}={v!r}" for k, v in fields.items() if v != usual[k])
    return f"{at_s:8.3f}  {type(step).__name__}({said})"
