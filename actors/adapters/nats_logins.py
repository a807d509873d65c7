"""Device logins on the embedded broker: NATS asks who may connect, Roost answers (auth callout).

The credentials that creating a device gives may publish and subscribe under that device's own
topics and nowhere else, with the issued client id only. Closing a connection needs the system
account.
Request and answer: `login_answers`.
"""

import hmac
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import nats.errors
import structlog
import trio

from actors.adapters.bridge import Bridge, open_bridge
from actors.adapters.nats.consumers import NatsConsumers
from actors.adapters.nats.lines import NatsAccess, connect
from actors.adapters.nats.login_answers import (
    SHOWN_MAX,
    Ask,
    Signer,
    of_device,
    of_listener,
    understood,
)
from actors.adapters.nats.login_queue import LoginQueue
from actors.adapters.nats.unasked import Unasked
from actors.logins import LISTENER_PREFIX
from actors.ports import SessionPlan, Store, WallClock
from actors.runtime.isolation import Failed, attempt, attempt_now
from actors.runtime.sampled import Sampled
from protocol import codec
from protocol.errors import BadPayload, Unavailable, in_words
from protocol.ids import password_digest
from protocol.listeners import Listener
from protocol.records import MqttLogin

log = structlog.get_logger("roost.logins")

# Looked at with one question to the store.
LOOKED_AT_MAX = 1_000
# Answers take some tenths of a millisecond each: so many, and others have a turn.
TOGETHER_MAX = 64
# Refusals after each look, the newest first. Whoever gets none is closed by the broker later.
REFUSALS_EACH = 64
REFUSED_MAX = 1_000

Login = tuple[Any, Ask]  # the message to answer, and what it says
Answer = tuple[Any, Ask, dict[str, Any] | None]
# Programs of one user that listen, since the last start or new login.
CLIENTS_MAX = 1_000
REQUEST_TIMEOUT_S = 2.0
KICK_AGAIN_S = 1.0


class NatsLogins:
    """Answers logins and closes connections (`actors.ports.Logins`)."""

    def __init__(
        self,
        access: NatsAccess,
        bridge: Bridge,
        auth: Any,
        system: Any,
        store: Store,
        clock: WallClock,
        partitions: int,
    ) -> None:
        self._access = access
        self._bridge = bridge
        self._auth = auth
        self._system = system
        self._queue = LoginQueue()
        self._unasked = Unasked()
        self._refused: deque[Answer] = deque(maxlen=REFUSED_MAX)  # to be told so
        self._told = Sampled()
        self._store = store
        self._clock = clock
        self._partitions = partitions
        self._listening: dict[str, dict[str, None]] = {}  # client ids by user name
        self._shut_out: dict[str, float] = {}  # client ids, and until when (Trio's clock)
        self._arrived: Callable[[str], None] = lambda user_id: None
        self._signer = Signer(access.seed, access.account)

    async def open(self) -> None:
        """Begin to answer. Until then nobody but us can log in."""
        await self._bridge.run(self._subscribe)

    async def _subscribe(self) -> None:
        await self._auth.subscribe("$SYS.REQ.USER.AUTH", cb=self._take)
        await self.begin_again()

    async def begin_again(self) -> None:
        """On the bridge's loop: from now on the broker's questions are heard."""
        await self._unasked.close(self._auth, self._system)

    async def _take(self, message: Any) -> None:
        try:
            ask = understood(message.data)
        except (BadPayload, LookupError, ValueError, TypeError, AttributeError) as error:
            log.warning("login request not understood", error=in_words(error))
        else:
            self._unasked.note(ask.client_id)
            self._queue.put((message, ask), ask.address)

    async def disconnect(self, client_id: str) -> None:
        """Close the connection of a client id, if there is one.

        Raises:
            Unavailable: the broker did not answer.
        """
        try:
            await self._bridge.run(self._kick, client_id)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise Unavailable(
                f"the broker did not close a connection: {in_words(error)}"
            ) from error

    async def disconnect_user(self, username: str) -> None:
        """Close all connections of a listener's user name. Raises as `disconnect`."""
        for client_id in self._listening.pop(username, {}):
            await self.disconnect(client_id)

    async def shut_out(self, client_id: str, for_s: float) -> None:
        """See `actors.ports.Logins`. Raises as `disconnect`."""
        now_s = trio.current_time()
        self._shut_out = {name: at_s for name, at_s in self._shut_out.items() if at_s > now_s}
        self._shut_out[client_id] = now_s + for_s
        await self.disconnect(client_id)
        await trio.sleep(KICK_AGAIN_S)  # a login that was answered just before is connected by now
        await self.disconnect(client_id)

    def watch(self, arrived: Callable[[str], None]) -> None:
        self._arrived = arrived

    def consumers(self, plans: Sequence[SessionPlan]) -> NatsConsumers:
        """What the broker holds for these sessions of ours."""
        return NatsConsumers(self._bridge, self._auth, plans)

    async def health(self) -> str:
        """What the server says is wrong with it; "" for nothing.

        A stream whose file could not be written says so here alone, and stays failed.

        Raises:
            Unavailable: it does not answer.
        """
        try:
            return await self._bridge.run(self._ask_health)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise Unavailable(f"the broker does not tell how it is: {in_words(error)}") from error

    async def _ask_health(self) -> str:
        answer = await self._system.request(
            "$SYS.REQ.SERVER.PING.HEALTHZ", b"", timeout=REQUEST_TIMEOUT_S
        )
        found = codec.decode(answer.data)["data"]
        return "" if found["status"] == "ok" else str(found.get("error") or found["status"])

    async def _kick(self, client_id: str) -> None:
        wanted = codec.encode({"mqtt_client": client_id, "auth": True})
        answer = await self._system.request(
            "$SYS.REQ.SERVER.PING.CONNZ", wanted, timeout=REQUEST_TIMEOUT_S
        )
        found = codec.decode(answer.data)
        server = found["server"]["id"]
        for connection in found["data"]["connections"]:
            cid = codec.encode({"cid": connection["cid"]})
            await self._system.request(
                f"$SYS.REQ.SERVER.{server}.KICK", cid, timeout=REQUEST_TIMEOUT_S
            )

    async def answer_forever(self) -> None:
        """One question to the store for all who wait; then those come in who may, and then some of
        the others are told that they may not. So whoever knocks a thousand times a second holds up
        nobody: to look at a name costs some hundredths of a millisecond, an answer some tenths."""
        while True:
            waiting = await self._queue.take(LOOKED_AT_MAX, wait=not self._refused)
            done = await attempt(partial(self._look, waiting))
            if isinstance(done, Failed):
                why = in_words(done.error)
                log.warning("logins not answered", many=len(waiting), error=why)

    async def _look(self, waiting: Sequence[Login]) -> None:
        for part in await self._sorted(waiting):
            await self._answer(part)

    async def _sorted(self, waiting: Sequence[Login]) -> list[list[Answer]]:
        """Answers, in portions."""
        names = list(dict.fromkeys(ask.username for _, ask in waiting if ask.may_be_known))
        listening = [name for name in names if name.startswith(LISTENER_PREFIX)]
        devices = [name for name in names if not name.startswith(LISTENER_PREFIX)]
        logins = await self._store.logins(devices) if devices else {}
        listeners = await self._store.listener_logins(listening) if listening else {}
        good: list[Answer] = []
        for message, ask in waiting:
            permissions = attempt_now(partial(self._permissions, ask, logins, listeners))
            # What somebody says that nobody can work with is refused, and fails nobody else.
            if permissions is None or isinstance(permissions, Failed):
                self._queue.failed(ask.address)
                self._refused.append((message, ask, None))
            elif self._shut_out.get(ask.client_id, 0.0) > trio.current_time():
                # It may come in, but not now; others at its address have nothing to do with it.
                self._refused.append((message, ask, None))
            else:
                good.append((message, ask, permissions))
        bad = [self._refused.pop() for _ in range(min(REFUSALS_EACH, len(self._refused)))]
        self._tell(bad)
        every = [*good, *bad]
        return [every[n : n + TOGETHER_MAX] for n in range(0, len(every), TOGETHER_MAX)]

    def _tell(self, refused: Sequence[Answer]) -> None:
        """Strangers write no more than this into the log."""
        if times := self._told.times(len(refused)):
            _, ask, _ = refused[-1]
            name, client_id = ask.username[:SHOWN_MAX], ask.client_id[:SHOWN_MAX]
            log.info(
                "login refused",
                username=name,
                client_id=client_id,
                address=ask.address[:SHOWN_MAX],
                times=times,
            )

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
        """What who logs in so may do; None where they may not come in. Our own names are refused by
        the same rules: nobody is issued one."""
        password = password_digest(ask.password)
        login = logins.get(ask.username)
        if login is not None:
            right = hmac.compare_digest(password, login.password_sha256)
            is_theirs = right and ask.client_id == login.client_id
            return of_device(login, self._partitions) if is_theirs else None
        listener = listeners.get(ask.username)
        if listener is None or not hmac.compare_digest(password, listener.password_sha256):
            return None
        # One name serves several programs; none takes the place of a device.
        if not ask.client_id.startswith(ask.username):
            return None
        # The broker knows these by its own names only: those of their clients are kept here, as
        # long as the broker, which ends with us.
        clients = self._listening.setdefault(ask.username, {})
        clients[ask.client_id] = None
        if len(clients) > CLIENTS_MAX:
            return None
        self._arrived(listener.user_id)
        return of_listener(listener.user_id)


async def _respond(answers: Sequence[tuple[Any, bytes]]) -> None:
    for message, answer in answers:
        await message.respond(answer)


@asynccontextmanager
async def open_logins(
    access: NatsAccess, store: Store, clock: WallClock, partitions: int
) -> AsyncIterator[NatsLogins]:
    """Logins on the broker, answered from `open` on until the block ends."""

    async def begin_again() -> None:
        await logins.begin_again()

    async with open_bridge("logins") as bridge, trio.open_nursery() as nursery:
        system = await bridge.run(connect, access, "sys", access.sys_password)
        auth = await bridge.run(
            partial(connect, access, "auth", access.auth_password, reconnected_cb=begin_again)
        )
        logins = NatsLogins(access, bridge, auth, system, store, clock, partitions)
        nursery.start_soon(logins.answer_forever)
        try:
            yield logins
        finally:
            nursery.cancel_scope.cancel()
            with trio.move_on_after(REQUEST_TIMEOUT_S, shield=True):
                await bridge.run(auth.close)
                await bridge.run(system.close)
