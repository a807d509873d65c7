"""Poison in background work: it fails alone, is put aside, and everything else goes on."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import trio
import trio.testing

from actors.adapters.memory.clocks import ManualClock
from actors.adapters.memory.store.store import MemoryStore
from actors.adapters.mqtt.no_logins import NoLogins
from actors.device import registry
from actors.due import webhooks as couriers
from actors.due.commands import CommandOutbox
from actors.due.webhooks import EACH_MAX, SENDERS, WebhookSender
from actors.ports.broker import Publication
from actors.ports.webhooks import ClaimedDeliveries, Wanted
from actors.runtime.supervisor import Supervisor
from protocol.device import commands
from protocol.device.commands import Command, CommandKey
from protocol.errors import Unavailable
from protocol.webhook.deliveries import ClaimedDelivery, Outcome, WebhookDelivery
from tests.conftest import Logs
from tests.unit.actors.device.fleet import Fleet
from tests.unit.makers import NOW, SECOND, USER

# More than enough to use up every slot, were they leaked.
ROUNDS = 2 * SENDERS // EACH_MAX


class Receivers:
    """Takes what comes; `fails` may raise for a URL."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.fails: Callable[[str], None] = lambda url: None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        await trio.lowlevel.checkpoint()
        self.fails(url)
        self.got.append(url)
        return Outcome(status=200)


class Deliveries(MemoryStore):
    """Errands of two webhooks, as often as they are claimed."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.secrets = {1: "whsec_AAAA", 2: "whsec_AAAA"}
        self.outcomes: list[tuple[int, Outcome]] = []
        self.note_fails: Exception | None = None
        self._made = 0

    async def claim_deliveries(self, wanted: Wanted) -> ClaimedDeliveries:
        await trio.lowlevel.checkpoint()
        free = [n for n in self.secrets if n not in wanted.busy]
        claims = [self._claimed(n) for n in free for _ in range(wanted.each)][: wanted.limit]
        return ClaimedDeliveries(claims=tuple(claims), next_us=None)

    def _claimed(self, webhook_num: int) -> ClaimedDelivery:
        self._made += 1
        delivery = WebhookDelivery(
            num=self._made,
            id=f"delivery-{self._made}",
            webhook_num=webhook_num,
            event_id="e",
            type="t",
            body="{}",
            created_us=NOW,
            next_try_us=NOW,
        )
        url = f"https://{webhook_num}.example"
        return ClaimedDelivery(
            delivery=delivery, user_id=USER, url=url, secret=self.secrets[webhook_num]
        )

    async def delivery_tried(
        self, delivery: WebhookDelivery, outcome: Outcome, now_us: int
    ) -> None:
        await trio.lowlevel.checkpoint()
        if self.note_fails is not None:
            raise self.note_fails
        self.outcomes.append((delivery.webhook_num, outcome))


class Sending:
    """A courier that is kept running."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.store = Deliveries()
        self.receivers = Receivers()
        self.webhook_sender = WebhookSender(
            self.store, self.receivers, ManualClock(), freed=lambda: None
        )
        self.supervisor = Supervisor(nursery, ManualClock(), random.Random(1))
        self.supervisor.run_essential("webhook sender", self.webhook_sender.run)

    async def rounds(self, count: int) -> None:
        for _ in range(count):
            await self.webhook_sender.deliver()
            await trio.testing.wait_all_tasks_blocked()

    @property
    def room(self) -> int:
        return SENDERS - self.webhook_sender._running.total()


@pytest.mark.parametrize("cause", ["secret", "receiver", "note"])
async def test_an_error_in_a_sender_leaks_no_slot_and_holds_up_no_other_webhook(
    autojump_clock: Any, nursery: trio.Nursery, cause: str
) -> None:
    scene = Sending(nursery)
    if cause == "secret":
        scene.store.secrets[1] = "whsec_A"  # no base64

    def fail(url: str) -> None:
        if cause == "receiver" and url == "https://1.example":
            raise RuntimeError("a bug")

    scene.receivers.fails = fail
    if cause == "note":
        scene.store.note_fails = RuntimeError("a bug")
    await scene.rounds(ROUNDS)
    assert scene.room == SENDERS
    assert scene.receivers.got.count("https://2.example") == ROUNDS * EACH_MAX
    assert scene.supervisor.crashes == 0
    letters = await scene.store.dead_letters(1_000, None)
    assert {(letter.work, letter.user_id) for letter in letters} == {("webhooks", USER)}
    assert "delivery-1" in {letter.subject for letter in letters}
    assert "Error" in letters[0].reason
    if cause != "note":
        failed = [outcome for num, outcome in scene.store.outcomes if num == 1]
        assert len(failed) == ROUNDS * EACH_MAX
        assert not any(outcome.is_good for outcome in failed)


async def test_senders_that_are_cancelled_leave_their_slots(
    autojump_clock: Any, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends a sender: an error that nothing contains cancels the others of its nursery."""
    scene = Sending(nursery)

    async def broken(work: Any) -> Any:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("not contained")

    with monkeypatch.context() as patch:
        patch.setattr(couriers, "attempt", broken)
        await scene.rounds(1)
    await trio.sleep(60)
    await scene.rounds(3)
    assert scene.room == SENDERS
    assert scene.receivers.got


def some_command(n: int, payload: str = "{}") -> Command:
    return Command(
        num=n,
        id=f"00000000-0000-4000-8000-{n:012d}",
        user_id=USER,
        device_id="d",
        device_num=n,
        device_code=f"d{n}",
        type="beep",
        payload=payload,
        state=commands.QUEUED,
        parallel=False,
        created_us=NOW,
        expires_us=NOW + 3_600 * SECOND,
        next_try_us=NOW,
        attempts=1,
    )


class Outbox(MemoryStore):
    """Notes what is said of commands."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.sent: list[str] = []
        self.unsent: list[tuple[CommandKey, int]] = []

    async def commands_sent(self, sent: Sequence[tuple[CommandKey, int]]) -> dict[CommandKey, int]:
        await trio.lowlevel.checkpoint()
        self.sent += [command_id for (_, command_id), _ in sent]
        return {}

    async def commands_unsent(self, again: Sequence[tuple[CommandKey, int]]) -> None:
        await trio.lowlevel.checkpoint()
        self.unsent += again


class Publishing:
    """A broker that takes all but one topic, for which publishing fails."""

    def __init__(self, poison: str = "") -> None:
        self.poison = poison
        self.taken: list[str] = []

    async def publish(self, messages: Sequence[Publication]) -> list[bool]:
        await trio.lowlevel.checkpoint()
        if self.poison and any(self.poison in each.topic for each in messages):
            raise ValueError("no topic for this protocol")
        self.taken += [each.topic for each in messages]
        return [True] * len(messages)


@pytest.mark.parametrize("cause", ["payload", "publish"])
async def test_a_command_that_cannot_be_sent_is_put_aside_and_the_others_go_out(
    autojump_clock: Any, nursery: trio.Nursery, cause: str
) -> None:
    store: Any = Outbox()
    broker: Any = Publishing("/d3/" if cause == "publish" else "")
    command_outbox = CommandOutbox(
        store, broker, NoLogins(), ManualClock(), lambda progress: None, lambda at_us: None
    )
    supervisor = Supervisor(nursery, ManualClock(), random.Random(1))
    supervisor.run_essential("command outbox", command_outbox.run)
    room = command_outbox.room
    for _ in range(20):
        command_outbox.send(
            [some_command(n, "\ud800" if (n, cause) == (3, "payload") else "{}") for n in range(9)]
        )
        await trio.sleep(1)
    assert supervisor.crashes == 0
    assert {topic.split("/")[3] for topic in broker.taken} == {f"d{n}" for n in range(9)} - {"d3"}
    assert len(store.sent) == 20 * 8
    (letter,) = await store.dead_letters(10, None)
    assert (letter.work, letter.subject) == ("commands", f"{USER}/{some_command(3).id}")
    assert letter.user_id == USER
    assert letter.attempts == 20
    assert {key for key, _ in store.unsent} == {some_command(3).key}
    assert all(next_us > NOW for _, next_us in store.unsent)
    assert command_outbox.room == room  # it leaks nothing


async def test_actors_that_start_at_other_times_have_one_copy_of_shared_feeds(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    fleet = Fleet(nursery)
    for n in range(3):
        assert fleet.say(f"d{n}")
        await trio.sleep(1)
    assert len(fleet.began) == 3
    assert len({id(loaded.shared) for loaded in fleet.began}) == 1


async def test_a_bad_device_row_fails_its_own_device_and_no_other(
    autojump_clock: Any, nursery: trio.Nursery, logs: Logs
) -> None:
    logs.claim("actor given up")
    fleet = Fleet(nursery)
    fleet.store.bad = {"d7"}
    for n in range(40):
        assert fleet.say(f"d{n}")
    await trio.sleep(120)
    assert len(fleet.devices) == 39
    assert "loader" not in fleet.supervisor.health.failures
    # Its messages are refused after its budget, which is recorded as well.
    assert fleet.heard == {f"d{n}" for n in range(40)}
    (letter,) = await fleet.store.dead_letters(10, None)
    assert (letter.work, letter.subject, letter.user_id) == ("devices", f"{USER}/d7", USER)
    assert letter.attempts == 1  # its actor asked nine times; the clock of the letter stood still
    # While it is known, it costs the others nothing more than one look of its own.
    fleet.store.asked.clear()
    for n in range(40, 60):
        fleet.say(f"d{n}")
    fleet.say("d7")
    await trio.sleep(1)
    assert fleet.store.asked[:2] == [20, 1] or fleet.store.asked[0] == 20
    # The row is right again: it is loaded, and the letter goes.
    fleet.store.bad.clear()
    await trio.sleep(60)
    fleet.devices.load_again(letter)
    await trio.sleep(1)
    assert await fleet.store.dead_letters(10, None) == []
    assert fleet.healed == ["d7"]
    fleet.say("d7")
    await trio.sleep(1)
    assert len(fleet.devices) == 60


async def test_what_is_about_no_device_leaves_their_messages_waiting_until_it_heals(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    fleet = Fleet(nursery)
    codes = [f"d{n}" for n in range(40)]
    fleet.store.bad, fleet.store.error = set(codes), RuntimeError("no such column")
    for code in codes:
        fleet.say(code)
    await trio.sleep(300)
    assert fleet.done == []
    assert "no such column" in fleet.supervisor.health.degraded()["loader"]
    assert await fleet.store.dead_letters(10, None) == []
    fleet.store.bad.clear()
    await trio.sleep(10)
    assert fleet.heard == set(codes)


async def test_at_the_bound_the_device_that_was_used_longest_ago_gives_way(
    autojump_clock: Any, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "ACTORS_MAX", 3)
    fleet = Fleet(nursery)
    for code in ("a", "b", "c", "a"):
        assert fleet.say(code)
        await trio.sleep(1)
    assert fleet.say("d")  # "b" was used longest ago
    await trio.sleep(1)
    assert [cell.name.rpartition("/")[2] for cell in fleet.devices.cells] == ["c", "a", "d"]
    assert fleet.heard == {"a", "b", "c", "d"}


async def test_an_actor_with_work_to_do_never_gives_way(
    autojump_clock: Any, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "ACTORS_MAX", 3)
    fleet = Fleet(nursery)
    fleet.store.error, fleet.store.bad = Unavailable("away"), {"a", "b", "c"}
    for code in ("a", "b", "c"):
        assert fleet.say(code)
        await trio.sleep(1)
    assert not fleet.say("d")  # it is left to the broker, as ever
    await trio.sleep(10)
    assert not fleet.say("d")
    fleet.store.bad.clear()
    await trio.sleep(10)
    assert fleet.heard == {"a", "b", "c"}
    assert fleet.say("d")
    await trio.sleep(1)
    assert fleet.heard == {"a", "b", "c", "d"}


async def test_a_device_that_gave_way_comes_back_at_once_and_in_order(
    autojump_clock: Any, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "ACTORS_MAX", 1)
    fleet = Fleet(nursery)
    count = 0
    for n in range(50):
        for code in ("a", "b"):
            while not fleet.say(code, float(n)):
                await trio.sleep(0.01)  # the other one has not stepped yet
            count += 1
            assert len(fleet.devices) == 1
    await trio.sleep(1)
    units = [effect for effect in fleet.done if hasattr(effect, "device")]
    assert len(units) == count
    assert [u.device[1] for u in units] == ["a", "b"] * 50
