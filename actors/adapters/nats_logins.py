"""Device logins on the embedded broker: NATS asks who may connect, Roost answers (auth callout).

The credentials that creating a device gives may publish and subscribe under that device's own
topics and nowhere else, with the issued client id only. Closing a connection needs the system
account.
Request and answer: docs.nats.io, "Auth Callout"; guarded by `tests/real/test_boundaries.py`.
"""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import nats
import nats.errors
import nkeys
import structlog
import trio

from actors.adapters.bridge import Bridge, open_bridge
from actors.adapters.nats.consumers import NatsConsumers
from actors.adapters.nats.keys import public_key
from actors.logins import LISTENER_PREFIX
from actors.ports import SessionPlan, Store, WallClock
from protocol import codec
from protocol.errors import RoostError, Unavailable, in_words
from protocol.ids import password_digest
from protocol.records import MqttLogin
from protocol.topics import partition

log = structlog.get_logger("roost.logins")

# NATS gives up on a login after five seconds; more than this cannot be answered by then.
LOGINS_WAITING_MAX = 1_000
WORKERS = 4
# Programs of one user that listen, since the last start or new login.
CLIENTS_MAX = 1_000
REQUEST_TIMEOUT_S = 2.0
# A broker that hangs is noticed within half a minute.
PING_EVERY_S = 10
PINGS_MAX = 2


class NatsAccess(msgspec.Struct, frozen=True, kw_only=True):
    """How Roost itself comes in. `seed` signs the answers; its public key is in the server's
    configuration."""

    url: str
    auth_password: str
    sys_password: str
    seed: bytes
    account: str = "ROOST"


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
        self._ask, self._asked = trio.open_memory_channel[Any](LOGINS_WAITING_MAX)
        self._store = store
        self._clock = clock
        self._partitions = partitions
        self._listening: dict[str, dict[str, None]] = {}  # client ids by user name
        self._arrived: Callable[[str], None] = lambda user_id: None
        self._signer = nkeys.from_seed(bytearray(access.seed))
        self._issuer = public_key(access.seed)

    async def open(self) -> None:
        """Begin to answer. Until then nobody but us can log in."""
        await self._bridge.run(self._subscribe)

    async def _subscribe(self) -> None:
        await self._auth.subscribe("$SYS.REQ.USER.AUTH", cb=self._take)
        await self._auth.flush()

    async def _take(self, message: Any) -> None:
        try:
            self._ask.send_nowait(message)
        except trio.WouldBlock:
            log.warning("too many logins at once; this one will try again")

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
        async for message in self._asked:
            try:
                answer = await self._answer(message.data)
                await self._bridge.run(message.respond, answer)
            except RoostError as error:
                log.warning("login cannot be checked", error=in_words(error))
            except (LookupError, ValueError, TypeError, nats.errors.Error) as error:
                log.warning("login request not understood", error=in_words(error))

    async def _answer(self, request: bytes) -> bytes:
        ask = _claims(request)["nats"]
        options, client = ask["connect_opts"], ask["client_info"]
        username = options.get("user", "")
        permissions = await self._permissions(username, options, client)
        # Our own names are refused by the same rules: nobody is issued one.
        body: dict[str, Any]
        if permissions is not None:
            body = {"jwt": self._sign(self._user(ask["user_nkey"], username, permissions))}
        else:
            log.info("login refused", username=username[:80], client_id=client.get("mqtt_id"))
            body = {"error": "unknown user name, password or client id"}
        return self._sign(
            {
                "iat": self._clock.now_us() // 1_000_000,
                "iss": self._issuer,
                "aud": ask["server_id"]["id"],
                "sub": ask["user_nkey"],
                "nats": {**body, "type": "authorization_response", "version": 2},
            }
        ).encode()

    async def _permissions(
        self, username: str, options: dict[str, Any], client: dict[str, Any]
    ) -> dict[str, Any] | None:
        """What who logs in so may do; None where they may not come in."""
        password = password_digest(options.get("pass", ""))
        client_id = client.get("mqtt_id") or ""
        if username.startswith(LISTENER_PREFIX):
            listener = await self._store.listener_login(username)
            right = listener is not None and hmac.compare_digest(password, listener.password_sha256)
            # One name serves several programs; none takes the place of a device.
            if listener is None or not right or not client_id.startswith(username):
                return None
            # The broker knows these by its own names only: those of their clients are kept here,
            # as long as the broker, which ends with us.
            clients = self._listening.setdefault(username, {})
            clients[client_id] = None
            if len(clients) > CLIENTS_MAX:
                return None
            self._arrived(listener.user_id)
            place = f"live.{listener.user_id}"
            return {"pub": {"deny": [">"]}, "sub": {"allow": [place, f"{place}.>"]}}
        login = await self._store.login(username) if username else None
        if login is None or client_id != login.client_id:
            return None
        right = hmac.compare_digest(password, login.password_sha256)
        return self._of_device(login) if right else None

    def _of_device(self, login: MqttLogin) -> dict[str, Any]:
        user, device = login.user_id, login.device_code
        k = partition(user, device, self._partitions)
        place = f"users.{user}.devices.{device}"
        return {
            # The mapping comes before the permission check. A will may come unmapped, and so does
            # what is in one read with its CONNECT: the server asks for the account's mappings
            # before it knows the account, and acknowledges even what it then refuses.
            "pub": {
                "allow": [
                    f"part.{k}.{place}.feeds",
                    f"part.{k}.{place}.feeds.*",
                    f"state.{k}.{place}.status",
                    f"state.{k}.{place}.commands.*.ack",
                    f"{place}.feeds",
                    f"{place}.feeds.*",
                    f"{place}.status",
                    f"{place}.commands.*.ack",
                ]
            },
            "sub": {"allow": [f"{place}.commands", f"{place}.errors"]},
        }

    def _user(self, nkey: str, username: str, permissions: dict[str, Any]) -> dict[str, Any]:
        return {
            "iat": self._clock.now_us() // 1_000_000,
            "iss": self._issuer,
            "sub": nkey,
            "aud": self._access.account,
            "name": username,
            "nats": {
                **permissions,
                "subs": -1,
                "data": -1,
                "payload": -1,
                "allowed_connection_types": ["MQTT", "MQTT_WS"],
                "type": "user",
                "version": 2,
            },
        }

    def _sign(self, claims: dict[str, Any]) -> str:
        digest = hashlib.sha256(codec.encode(claims)).digest()
        claims["jti"] = base64.b32encode(digest).decode().rstrip("=")
        head = _b64(b'{"typ":"JWT","alg":"ed25519-nkey"}')
        body = _b64(codec.encode(claims))
        return f"{head}.{body}.{_b64(self._signer.sign(f'{head}.{body}'.encode()))}"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _claims(token: bytes) -> dict[str, Any]:
    """The claims of a request. Its signature is the server's, on a connection that only it has."""
    body = token.split(b".")[1]
    claims: dict[str, Any] = codec.decode(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
    return claims


@asynccontextmanager
async def open_logins(
    access: NatsAccess, store: Store, clock: WallClock, partitions: int
) -> AsyncIterator[NatsLogins]:
    """Logins on the broker, answered from `open` on until the block ends.

    The connections to NATS heal by themselves.
    """

    async def connect(user: str, password: str) -> Any:
        return await nats.connect(
            access.url,
            user=user,
            password=password,
            name=f"roost-{user}",
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.2,
            ping_interval=PING_EVERY_S,
            max_outstanding_pings=PINGS_MAX,
            error_cb=_log_error,
        )

    async with open_bridge("logins") as bridge, trio.open_nursery() as nursery:
        auth = await bridge.run(connect, "auth", access.auth_password)
        system = await bridge.run(connect, "sys", access.sys_password)
        logins = NatsLogins(access, bridge, auth, system, store, clock, partitions)
        for _ in range(WORKERS):
            nursery.start_soon(logins.answer_forever)
        try:
            yield logins
        finally:
            nursery.cancel_scope.cancel()
            with trio.move_on_after(REQUEST_TIMEOUT_S, shield=True):
                await bridge.run(auth.close)
                await bridge.run(system.close)


async def _log_error(error: Exception) -> None:
    log.info("connection to the broker", error=in_words(error))
