"""Device logins on the embedded broker: NATS asks who may connect, Roost answers (auth callout).

The credentials of a device may publish and subscribe under that device's own topics only, with the
issued client id only. Closing a connection needs the system account. `login_questions` receives
requests; `login_answers` has request and answer.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
import trio

from actors.access.mqtt_credentials import LISTENER_PREFIX
from actors.adapters.asyncio_bridge import Bridge, open_bridge
from actors.adapters.nats.client_ids import CLIENT_IDS_MAX
from actors.adapters.nats.clients import NatsClients
from actors.adapters.nats.consumers import NatsConsumers
from actors.adapters.nats.doorkeeper import Doorkeeper
from actors.adapters.nats.lines import NatsAccess, connect
from actors.adapters.nats.login_answers import (
    Ask,
    Signer,
    is_listening,
    is_right,
    of_device,
    of_listener,
    user_of,
)
from actors.adapters.nats.login_questions import LoginQuestions
from actors.adapters.nats.login_queue import WAITING_MAX, LoginQueue
from actors.adapters.nats.login_refusals import LoginRefusals
from actors.adapters.nats.retained import NatsRetained
from actors.adapters.nats.share_keeper import ShareKeeper
from actors.adapters.nats.store_bounds import StoreBounds
from actors.adapters.nats.subscription_shares import SHARE, SubscriptionShares
from actors.ports.broker import SessionPlan
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.isolation import Failed, attempt, attempt_now
from protocol.device.listeners import Listener
from protocol.errors import in_words
from protocol.records import MqttLogin

log = structlog.get_logger("roost.logins")

# Checked with one query to the store.
LOOKED_AT_MAX = 1_000
# An answer takes some tenths of a millisecond: after this many, other tasks run.
TOGETHER_MAX = 64

Login = tuple[Any, Ask]  # the message to answer, and its content
Answer = tuple[Any, Ask, dict[str, Any] | None]
CLOSE_TIMEOUT_S = 2.0
# A client that filled the broker's store must not come back at once.
SHUT_OUT_S = 60.0


class NatsLogins(NatsClients):
    """Answers logins, and can disconnect clients (`actors.ports.logins.Logins`)."""

    def __init__(
        self,
        access: NatsAccess,
        bridge: Bridge,
        auth: Any,
        system: Any,
        store: Store,
        clock: WallClock,
        partitions: int,
        ours: Sequence[str] = (),
        listener_clients: int = CLIENT_IDS_MAX,
        share: int = SHARE,
    ) -> None:
        super().__init__(bridge, auth, system, ours, listener_clients)
        self._auth = auth
        self._queue = LoginQueue()
        self.questions = LoginQuestions(auth, self._connections, self._queue)
        self._shares = SubscriptionShares(share)
        self._refused = LoginRefusals()
        self._later: deque[Login] = deque(maxlen=WAITING_MAX)  # until the next check of the shares
        self._store = store
        self._clock = clock
        self._partitions = partitions
        self._arrived: Callable[[str], None] = lambda user_id: None
        self._signer = Signer(access.seed, access.account)

    async def open(self) -> None:
        """Begin to answer. Until then nobody except Roost can log in."""
        done = await attempt(self.kept)  # sessions of listeners count towards their limit
        if isinstance(done, Failed):
            log.warning("sessions of listeners not counted yet", error=in_words(done.error))
        await self._bridge.run(self.questions.subscribe)

    def watch(self, arrived: Callable[[str], None]) -> None:
        self._arrived = arrived

    def consumers(self, plans: Sequence[SessionPlan]) -> NatsConsumers:
        """What the broker holds for these sessions of ours."""
        return NatsConsumers(self._bridge, self._auth, plans)

    def doorkeeper(self, most: int) -> Doorkeeper:
        """Limits connections that have not logged in, out of `most` connections."""
        return Doorkeeper(self._bridge, self._connections, most)

    def share_keeper(self) -> ShareKeeper:
        """Limits each user to a share of the QoS 1 subscriptions."""
        return ShareKeeper(
            self._bridge, self, self._sessions, self._shares, self._store, self._ask_again
        )

    def _ask_again(self) -> None:
        later, self._later = self._later, deque(maxlen=WAITING_MAX)
        for message, ask in later:
            self._queue.put((message, ask), ask.address)

    def store_bounds(self, plans: Sequence[SessionPlan], size: int) -> StoreBounds:
        """Bounds of the broker's store, of this many bytes; `plans` are our own sessions."""
        shut_out = partial(self.shut_out, for_s=SHUT_OUT_S)
        return StoreBounds(self._bridge, self._auth, plans, size, shut_out)

    def retained(self) -> NatsRetained:
        """Devices' retained messages on the broker."""
        return NatsRetained(self._bridge, self._auth, self._partitions)

    async def answer_forever(self) -> None:
        """Check all waiting logins with one query to the store. Then answer the valid ones, and
        then some of the others: a look-up of a name costs some hundredths of a millisecond, an
        answer some tenths."""
        while True:
            waiting = await self._queue.take(LOOKED_AT_MAX, wait=not self._refused)
            done = await attempt(partial(self._look, waiting))
            if isinstance(done, Failed):
                why = in_words(done.error)
                log.warning("logins not answered", many=len(waiting), error=why)

    async def _look(self, waiting: Sequence[Login]) -> None:
        names = list(dict.fromkeys(ask.username for _, ask in waiting if ask.may_be_known))
        listening = [name for name in names if name.startswith(LISTENER_PREFIX)]
        devices = [name for name in names if not name.startswith(LISTENER_PREFIX)]
        logins = await self._store.logins(devices) if devices else {}
        listeners = await self._store.listener_logins(listening) if listening else {}
        await self._client_ids.make_room(
            [
                (ask.username, ask.client_id)
                for _, ask in waiting
                if attempt_now(partial(is_listening, ask, listeners)) is True
            ]
        )
        for part in self._sorted(waiting, logins, listeners):
            await self._answer(part)

    def _sorted(
        self,
        waiting: Sequence[Login],
        logins: Mapping[str, MqttLogin],
        listeners: Mapping[str, Listener],
    ) -> list[list[Answer]]:
        """Answers, in portions."""
        good: list[Answer] = []
        for message, ask in waiting:
            permissions = attempt_now(partial(self._permissions, ask, logins, listeners))
            # A request that cannot be judged is refused, and no other one fails with it.
            if permissions is None or isinstance(permissions, Failed):
                self._queue.failed(ask.address)
                self._refused.add(message, ask)
            elif self.is_shut_out(ask.client_id):
                # It is valid, but must wait; other clients of its address have nothing to do with
                # it.
                self._refused.add(message, ask)
            else:
                user_id = user_of(ask, logins, listeners)
                match self._shares.comes_in(user_id, ask.client_id):
                    case True:
                        good.append((message, ask, permissions))
                    case None:
                        self._later.append((message, ask))
                    case False:
                        self._refused.add(message, ask)
        every = [*good, *((message, ask, None) for message, ask in self._refused.take())]
        return [every[n : n + TOGETHER_MAX] for n in range(0, len(every), TOGETHER_MAX)]

    async def _answer(self, part: Sequence[Answer]) -> None:
        now_us = self._clock.now_us()
        answers = [
            (message, self._signer.answer(ask, permissions, now_us))
            for message, ask, permissions in part
        ]
        await self._bridge.run(_respond, answers)

    def _permissions(
        self, ask: Ask, logins: Mapping[str, MqttLogin], listeners: Mapping[str, Listener]
    ) -> dict[str, Any] | None:
        """What this login may do; None if it is refused. Our own names are refused by the same
        rules, because they are issued to nobody."""
        login = logins.get(ask.username)
        if login is not None:
            is_theirs = is_right(ask, login) and ask.client_id == login.client_id
            return of_device(login, self._partitions) if is_theirs else None
        if not is_listening(ask, listeners):
            return None
        listener = listeners[ask.username]
        if not self._client_ids.admits(ask.username, ask.client_id):
            return None
        self._client_ids.add(ask.username, ask.client_id)
        self._arrived(listener.user_id)
        return of_listener(listener.user_id)


async def _respond(answers: Sequence[tuple[Any, bytes]]) -> None:
    for message, answer in answers:
        await message.respond(answer)


@asynccontextmanager
async def open_logins(
    access: NatsAccess,
    store: Store,
    clock: WallClock,
    partitions: int,
    ours: Sequence[str],
    listener_clients: int = CLIENT_IDS_MAX,
    share: int = SHARE,
) -> AsyncIterator[NatsLogins]:
    """Logins on the broker, answered from `open` on until the block ends.

    Args:
        ours: client ids of Roost's own sessions.
        listener_clients: how many client ids a listener may have.
        share: how many QoS 1 subscriptions all clients of a user may have.
    """

    async def begin_again() -> None:
        await logins.questions.begin_again()

    async with open_bridge("logins") as bridge, trio.open_nursery() as nursery:
        system = await bridge.run(connect, access, "sys", access.sys_password)
        auth = await bridge.run(
            partial(connect, access, "auth", access.auth_password, reconnected_cb=begin_again)
        )
        logins = NatsLogins(
            access, bridge, auth, system, store, clock, partitions, ours, listener_clients, share
        )
        nursery.start_soon(logins.answer_forever)
        try:
            yield logins
        finally:
            nursery.cancel_scope.cancel()
            with trio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
                await bridge.run(auth.close)
                await bridge.run(system.close)
