"""Logins are answered together, and one that nobody can work with fails nobody else."""

import asyncio
from typing import Any, cast

import msgspec
import pytest
import trio
from nats.aio.subscription import Subscription

from actors.adapters.asyncio_bridge import open_bridge
from actors.adapters.memory.clocks import ManualClock
from actors.adapters.nats.auth_callout import NatsLogins
from actors.adapters.nats.client_ids import CLIENT_IDS_MAX
from actors.adapters.nats.keys import new_seed
from actors.adapters.nats.lines import NatsAccess
from actors.adapters.nats.login_questions import IN_A_ROW_MAX
from actors.adapters.nats.subscription_shares import OF_DEVICE, RECENT_S
from protocol.device.listeners import Listener
from protocol.errors import Unavailable
from protocol.ids import password_digest
from protocol.records import MqttLogin
from tests.unit.actors.adapters.test_login_queue import asked
from tests.unit.makers import DEVICE, USER

NAME = f"device-{DEVICE}"
BAD = "device-00000000-0000-4000-8000-00000000bad0"
LOGIN = MqttLogin(
    username=NAME,
    client_id=NAME,
    password_sha256=password_digest("pw"),
    user_id=USER,
    device_code="d1",
)


class Message(msgspec.Struct, eq=False):
    """One of NATS; what it is answered."""

    data: bytes
    answers: list[bytes] = msgspec.field(default_factory=list)

    async def respond(self, answer: bytes) -> None:
        self.answers.append(answer)


class Bridge:
    async def run(self, work: Any, *args: Any) -> Any:
        return await work(*args)


class Store:
    def __init__(self) -> None:
        self.away = False
        self.asked: list[list[str]] = []

    async def logins(self, usernames: list[str]) -> dict[str, MqttLogin]:
        await trio.lowlevel.checkpoint()
        self.asked.append(list(usernames))
        if self.away:
            raise Unavailable("away")
        known = {NAME: LOGIN, BAD: msgspec.structs.replace(LOGIN, password_sha256="no bytes")}
        return {name: known[name] for name in usernames if name in known}

    async def listener_logins(self, usernames: list[str]) -> dict[str, Listener]:
        await trio.lowlevel.checkpoint()
        listener = Listener(
            user_id=USER,
            username=LISTENER,
            password_sha256=password_digest("pw"),
            home_assistant=False,
            created_us=0,
        )
        return {LISTENER: listener} if LISTENER in usernames else {}


LISTENER = "listener-00000000-0000-4000-8000-00000000115e"
Parts = tuple[NatsLogins, Store]


@pytest.fixture
def parts() -> Parts:
    access = NatsAccess(url="", auth_password="", sys_password="", seed=new_seed())
    store, bridge = Store(), Bridge()
    logins = NatsLogins(access, bridge, None, None, store, ManualClock(), 4)  # type: ignore[arg-type]
    return logins, store


def login(name: str = NAME, password: str = "pw", client_id: str | None = None) -> Message:
    return Message(asked(client_id or name, user=name, **{"pass": password}))


async def answered(logins: NatsLogins, *messages: Message) -> list[int]:
    """How long the answers are that each got: a refusal is short."""
    for message in messages:
        logins.questions.read(message)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(logins.answer_forever)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return [len(answer) for message in messages for answer in message.answers]


async def test_what_nobody_can_work_with_is_refused_and_fails_nobody_else(parts: Parts) -> None:
    """They are looked at together: what fails for one failed for all, and ended who answers."""
    logins, store = parts
    rubbish = (login(password="\ud800"), Message(b"rubbish"))
    lengths = await answered(logins, login(), *rubbish, login(BAD), login(password="wrong"))
    assert len(lengths) == 3
    assert lengths[0] > 2 * max(lengths[1:])
    assert [sorted(names) for names in store.asked] == [[BAD, NAME]]


async def test_others_have_a_turn_while_thousands_of_questions_are_read(parts: Parts) -> None:
    """The client of NATS brings all that have arrived in one step: 1,400 strangers a second held
    the loop for 0.14 s of CPU time."""
    logins, _ = parts
    many = 1_000

    async def read() -> int:
        arrived: Any = Subscription(cast(Any, None), cb=logins.questions.take)
        arrived._start(None)
        for n in range(many):
            arrived._pending_queue.put_nowait(login(f"stranger-{n}"))
        turns = 0
        while arrived._pending_queue.qsize():
            await asyncio.sleep(0)
            turns += 1
        arrived._stop_processing()
        return turns

    async with open_bridge("logins") as bridge:
        assert await bridge.run(read) >= many // IN_A_ROW_MAX
    assert len(logins._queue) == many


async def test_a_store_that_is_away_costs_those_who_ask_meanwhile(parts: Parts) -> None:
    logins, store = parts
    store.away = True
    assert await answered(logins, login()) == []
    store.away = False
    assert len(await answered(logins, login())) == 1


async def test_who_is_shut_out_may_not_come_in_until_then_and_others_may(
    parts: Parts, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    logins, _ = parts
    kicked: list[str] = []

    async def kick(client_id: str) -> None:
        await trio.lowlevel.checkpoint()
        kicked.append(client_id)

    monkeypatch.setattr(logins, "disconnect", kick)
    (welcome,) = await answered(logins, login())
    await logins.shut_out(NAME, 60.0)
    assert kicked == [NAME, NAME]  # one that was answered just before comes in a moment later
    (refused,) = await answered(logins, login())
    assert refused < welcome / 2
    await trio.sleep(60)
    assert await answered(logins, login()) == [welcome]


async def test_who_is_shut_out_is_no_failure_of_its_address(
    parts: Parts, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All devices of a site may share one."""
    logins, _ = parts

    async def kick(client_id: str) -> None:
        await trio.lowlevel.checkpoint()

    failed: list[str] = []
    monkeypatch.setattr(logins, "disconnect", kick)
    monkeypatch.setattr(logins._queue, "failed", failed.append)
    await logins.shut_out(NAME, 60.0)
    await answered(logins, login())
    assert failed == []
    await answered(logins, login(password="wrong"))
    assert len(failed) == 1


async def test_a_listener_has_few_client_ids_and_none_that_the_broker_would_misread(
    parts: Parts,
) -> None:
    """One made 16,384 subscriptions by a thousand of them; then nobody else's was taken."""
    logins, _ = parts
    odd = [login(LISTENER, "\ud800"), login(LISTENER, "wrong", LISTENER + "-a")]
    odd += [login(LISTENER, client_id=LISTENER + each) for each in (".*", " x", "x" * 65, ".>")]
    odd.append(login(LISTENER, client_id="listener-"))
    many = [login(LISTENER, client_id=f"{LISTENER}-{n}") for n in range(CLIENT_IDS_MAX + 5)]
    refused, *lengths = await answered(logins, login(password="wrong"), *odd, *many)
    assert [length > 2 * refused for length in lengths].count(True) == CLIENT_IDS_MAX
    assert max(lengths[: len(odd)]) < 2 * refused


async def test_where_a_look_has_to_say_whether_there_is_room_it_waits_for_that(
    autojump_clock: Any,
) -> None:
    """A fleet of one user that comes at once is not refused, whatever it will listen with."""
    access = NatsAccess(url="", auth_password="", sys_password="", seed=new_seed())
    bridge: Any = Bridge()
    store: Any = Store()
    logins = NatsLogins(access, bridge, None, None, store, ManualClock(), 4, share=OF_DEVICE)
    (welcome,) = await answered(logins, login())
    other = login(LISTENER)
    assert await answered(logins, other) == []
    await trio.sleep(RECENT_S)
    logins._shares.few(trio.current_time())
    logins._ask_again()
    await answered(logins)
    assert [len(answer) > welcome / 2 for answer in other.answers] == [True]
