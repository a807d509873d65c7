"""Plans told by hand: each shows, every time, a mistake that few of the drawn plans show.

`test_planted.py` demands that the ordinary checkers find the mistake in its story, and that the
story ends well without it. A story needs no luck: it stays as it is when plans are drawn in another
way, and shows its mistake at every even seed (a process of such a world is alone, and looks rarely
who leads). A fault ends with the last step of a plan, so a step follows wherever it needs time.
"""

from typing import Any

from tests.simulation import quiet
from tests.simulation.command_listener import Reaction
from tests.simulation.plan import (
    HOARDERS,
    AnyStep,
    Arrange,
    Delete,
    Fault,
    Flood,
    Hoard,
    Hostile,
    Kill,
    Leave,
    Listen,
    Order,
    Plan,
    Protect,
    Publish,
    Report,
    Revoke,
    Shed,
    Stop,
    Tune,
    Verify,
    Visit,
    Watch,
    Word,
)

NUMBER = 20_000  # the first value of a story; every reading has one of its own
FOREVER_S = 600.0


def story(*steps: AnyStep, **options: Any) -> Plan:
    """A plan of one process on NATS, unless the options say otherwise."""
    usual = {"seed": 2, "broker": "nats", "small": False, "idle_s": 600.0, "poison": -1.0}
    return Plan(**{**usual, **options}, steps=sorted(steps, key=lambda step: step.at_s))


def fault(at_s: float, kind: str, seconds: float = 0.0, target: str = "") -> Fault:
    return Fault(at_s=at_s, kind=kind, seconds=seconds, target=target)


def readings(
    at_s: float,
    many: int,
    every_s: float,
    *,
    device: str = "ada/a0",
    first: int = 0,
    key: str = "bare",
    form: Any = "bare",
) -> list[AnyStep]:
    """As many readings of one device, at an even pace. `first` tells them from other readings."""
    return [
        Publish(
            at_s=round(at_s + n * every_s, 3),
            device=device,
            key=key,
            form=form,
            number=NUMBER + first + n,
            arrivals=[0.0],
        )
        for n in range(many)
    ]


def commands(at_s: float, many: int, every_s: float, **how: Any) -> list[AnyStep]:
    """As many commands for one device."""
    return [
        Order(at_s=round(at_s + n * every_s, 3), device="ada/a1", number=NUMBER + n, **how)
        for n in range(many)
    ]


def report(at_s: float, device: str) -> Report:
    return Report(at_s=at_s, device=device, mark=1, arrivals=[0.0])


def last_words(at_s: float) -> list[AnyStep]:
    """What the quiet device says once: it is online, and a reading that raises its alarm."""
    online = Word(at_s=at_s, device=quiet.NAME, status="online")
    violation = Publish(
        at_s=round(at_s + 0.05, 3),
        device=quiet.NAME,
        key="limited",
        form="ts",
        number=quiet.NUMBER,
        arrivals=[0.0],
        violates=True,
    )
    return [online, violation]


# A leader has a batch at hand that it cannot commit, and hangs. Another process leads, and stores
# the messages; the first goes on, and tries its batch again.
LEADER_HANGS = (
    fault(5.0, "store away", 1.0),
    *readings(5.1, 5, 0.02),
    fault(5.5, "process paused", 25.0, "leader"),
    *readings(8.0, 5, 3.0, first=10),
    *readings(31.0, 5, 0.5, first=20),
)
# Somebody else leads at 6.1 s, while the first reading is committed, and before the process looks
# again who leads (every two seconds): the next commit is refused.
OVERTAKEN = (fault(5.1, "overtaken in a commit"), *readings(5.2, 10, 0.3))
# The store is away for so long that no canary passes. Something is owed meanwhile.
OUTAGE = (fault(5.0, "outage", 10.0), *readings(6.0, 5, 0.1), *readings(160.0, 1, 1.0, first=9))

HOARDS = [Hoard(at_s=5.0, owner=owner, noun="webhooks", many=3) for owner in HOARDERS]

STORIES: dict[str, Plan] = {
    # Several processes, and epochs
    "fencing off": story(*LEADER_HANGS, many=2),
    "the epoch does not grow": story(*LEADER_HANGS, many=2),
    # What the first was asked for when it hung is done when it goes on.
    "settings of other processes are not heard": story(
        fault(5.0, "process paused", 25.0, "leader"),
        Tune(at_s=5.05, device="ada/a0", enabled=True, max_value=20_000.0, hangs_up_s=0.1),
        *readings(12.0, 8, 2.0),
        *readings(31.0, 5, 0.5, first=20),
        many=2,
    ),
    "a fenced batch is done": story(*OVERTAKEN),
    "receipts that were given up are acknowledged": story(*OVERTAKEN),
    # Mosquitto brings what was given up on a new connection only.
    "who was overtaken goes on": story(*OVERTAKEN, broker="mosquitto 5"),
    "who was overtaken gives nothing up": story(*OVERTAKEN, broker="mosquitto 5"),
    "an abandoned unit's alarm is forgotten": story(
        fault(5.1, "overtaken in a commit"), *readings(5.2, 1, 1.0), *last_words(6.5)
    ),
    "the batch is repeated under an old epoch": story(
        fault(5.0, "lead lost"), *readings(8.0, 3, 1.0)
    ),
    "leases are not restored when the lead is taken": story(
        *last_words(5.0), fault(8.3, "lead lost"), *readings(12.0, 1, 1.0)
    ),
    "leases are not restored after a start": story(
        *last_words(5.0), Kill(at_s=8.3, steps=0, down_s=1.0)
    ),
    # The standby looks after a minute, and then knows when they expire, as the leader does.
    "a standby claims due work, too": story(
        *commands(2.0, 16, 3.0, ttl_s=100), many=2, reactions=[Reaction(after_s=None, ends_s=None)]
    ),
    # Commits, brokers and their sessions
    # The commit is done three seconds later, by a server whose client is gone.
    "an unfinished commit is not waited for": story(
        fault(5.0, "commit late"),
        *readings(5.1, 1, 1.0),
        Kill(at_s=5.11, steps=0, down_s=0.0),
        *readings(12.0, 1, 1.0, first=9),
        broker="mosquitto 5",
    ),
    # Known messages are forgotten, and the connection stays: nothing on it is acknowledged.
    "a retry under a new name": story(
        *[fault(5.0, "commit answer") for _ in range(3)],
        *readings(5.1, 3, 1.0),
        fault(9.0, "commit crash after"),
        *[Hostile(at_s=9.1, device="ada/a0", shape="not json", number=NUMBER + 50)],
        *readings(12.0, 1, 1.0, first=9),
    ),
    "PUBACK to connection 0": story(*OVERTAKEN, broker="mosquitto 5"),
    # Packet ids begin again at 1, and are few: an old acknowledgement meets another message.
    "PUBACK on a new connection": story(
        fault(5.0, "store away", 10.0),
        *readings(5.5, 20, 0.01),
        fault(6.0, "broker killed", 1.0),
        *readings(9.0, 20, 0.01, first=50),
        small=True,
    ),
    "what was left is never fetched": story(
        fault(5.0, "store away", 5.0),
        *readings(5.5, 30, 0.01),
        small=True,
        broker="mosquitto 3.1.1",
    ),
    "an end without a drain": story(
        *readings(5.0, 20, 0.0), Stop(at_s=5.0, steps=20, down_s=1.0), small=True
    ),
    "what the broker keeps of who is gone is deleted at once or never": story(
        fault(7.0, "broker away", 3.0), Delete(at_s=8.0, device="ada/visitor", purge=True)
    ),
    # Dashboards and listeners
    # One of the snapshots is read before the report, and shown after it.
    "snapshot read before subscribing": story(
        fault(4.9, "store slow", 3.0),
        *[Watch(at_s=round(5.0 + n / 50, 3), owner="bob", lasts_s=FOREVER_S) for n in range(4)],
        report(5.37, "bob/b0"),
    ),
    "a broker that is back is told what changes only": story(
        fault(5.0, "broker killed", 2.0),
        *readings(9.0, 1, 1.0),
        listens="ada",
        broker="mosquitto 3.1.1",
    ),
    "the next leader tells listeners nothing": story(
        fault(5.0, "broker killed", 2.0), *readings(9.0, 1, 1.0), listens="ada"
    ),
    "who subscribes is told nothing of what was said meanwhile": story(
        *[Listen(at_s=5.0 + n, after_s=0.2, deaf_s=0.6) for n in range(4)],
        report(8.5, "ada/a0"),
        listens="ada",
    ),
    # They log in while nobody leads, at a process that hangs then, and subscribe while another one
    # republishes.
    "who logged in before the lead is told nothing again": story(
        Kill(at_s=5.0, steps=0, down_s=4.0),
        *[Listen(at_s=8.6 + n / 20, after_s=1.5, deaf_s=0.4) for n in range(5)],
        fault(9.05, "process paused", 10.0, "standby"),
        *readings(15.0, 2, 1.0),
        many=2,
    ),
    "a change that may have been done is no change for listeners": story(
        fault(5.0, "call after", target="delete_device"),
        Delete(at_s=5.5, device="ada/visitor", purge=True),
        listens="ada",
    ),
    # People, and how much each may have
    "a NOTIFY is lost": story(
        Visit(at_s=5.0, owner="ada", lasts_s=5.0),
        fault(8.0, "call after", target="delete_sessions"),
    ),
    "a disabled account's devices stay connected": story(
        Leave(at_s=5.0, owner="nora", how="disable", lasts_s=5.0)
    ),
    "a link that verifies an address counts again": story(
        Verify(at_s=5.0, owner="iris", again_s=1.0)
    ),
    "a new address counts before its link was opened": story(
        Verify(at_s=5.0, owner="iris", again_s=1.0)
    ),
    "of a deleted account something is left": story(Leave(at_s=5.0, owner="otto", how="leave")),
    # The answer to the first code is lost, and the process ends between the second's two uses.
    "a code of the app counts as long as it is shown": story(
        Protect(at_s=5.0, owner="vera", many=3, again_s=4.0),
        fault(30.0, "call after", target="update_second_factor"),
        Kill(at_s=67.0, steps=0, down_s=1.0),
        *readings(130.0, 1, 1.0),
    ),
    "the bound of one user counts what another has": story(*HOARDS),
    "what was deleted counts against its share": story(
        Hoard(at_s=5.0, owner="max", noun="schedules", many=6),
        Shed(at_s=8.0, owner="max", noun="schedules", many=3),
        Hoard(at_s=11.0, owner="max", noun="schedules", many=3),
    ),
    "a listener has as many clients as it likes": story(*HOARDS),
    "a client of a listener that is gone counts for ever": story(*HOARDS),
    "a bucket holds a fifth of a second": story(Flood(at_s=5.0, many=300, every_s=0.005)),
    # Time, and failures that stay with what failed
    "misfire rules are ignored": story(
        Arrange(at_s=2.0, device="ada/a0", number=NUMBER, in_s=3.0, misfire="skip", grace_s=1),
        Kill(at_s=3.0, steps=0, down_s=10.0),
    ),
    "a job that failed once never runs again": story(
        *[fault(1.0, "job fails") for _ in range(8)],
        *commands(2.0, 8, 1.0, ttl_s=20),
        Arrange(at_s=3.0, device="ada/a0", number=NUMBER + 100, in_s=3.0),
    ),
    "a put-aside row blocks its neighbours": story(bad_row=True, broker="mosquitto 5"),
    "a sender slot leaked": story(
        *[fault(1.0, "secret spoiled", 10.0) for _ in range(4)],
        *commands(2.0, 8, 0.1, ttl_s=20, parallel=True),
        *readings(12.0, 1, 1.0),
        small=True,
    ),
    "nobody counts what is owed": story(*OUTAGE),
    "the canary is always green": story(*OUTAGE),
    "the last answer wins": story(
        Order(at_s=2.0, device="ada/a1", number=NUMBER, ttl_s=20),
        Revoke(at_s=3.0, device="ada/a1", number=NUMBER),
        reactions=[Reaction(after_s=3.0, ends_s=0.5)],
    ),
    "the sums of a deleted feed are kept": story(
        *readings(3.0, 5, 0.1, device="ada/visitor", key="by-ts", form="ts"),
        Delete(at_s=8.0, device="ada/visitor", purge=True),
    ),
}
