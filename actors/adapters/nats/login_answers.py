"""The requests of NATS when a client logs in, and the answers (auth callout). Pure.

Request and answer: docs.nats.io, "Auth Callout"; guarded by `tests/real/test_boundaries.py`.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

import msgspec
import nkeys

from actors.adapters.nats.client_certificates import devices_of, identity
from actors.adapters.nats.keys import public_key
from protocol import codec
from protocol.device.listeners import Listener
from protocol.device.topics import partition
from protocol.ids import password_digest
from protocol.records import MqttLogin

# Names that Roost issues (`actors.access.mqtt_credentials`). No other is looked up.
_ISSUED = re.compile(r"(device|listener)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# The part of a listener's client id after the user name. The broker makes subjects of client ids,
# so a wildcard in one would match others.
_PROGRAM = re.compile(r"[!-)+-=?-~]{0,64}")
SHOWN_MAX = 80
REFUSED = "unknown user name, password or client id"


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A client wants to log in.

    Attributes:
        address: the client's.
        is_certified: the broker has verified a certificate that names this device; then there need
            be no password.
        nkey: what the answer refers to.
        server: the one that asks.
    """

    username: str
    password: str
    client_id: str
    address: str
    nkey: str
    server: str
    is_certified: bool = False

    @property
    def may_be_known(self) -> bool:
        """Whether names of this form are issued at all."""
        return _ISSUED.fullmatch(self.username) is not None

    @property
    def is_of_program(self) -> bool:
        """Whether the client id is the user name, perhaps followed by more characters: several
        programs may use one name."""
        own, more = self.client_id[: len(self.username)], self.client_id[len(self.username) :]
        return own == self.username and _PROGRAM.fullmatch(more) is not None


def understood(token: bytes) -> Ask:
    """Decode a request. It needs no signature check: only the server uses this connection.

    Raises:
        BadPayload, LookupError, ValueError, TypeError, AttributeError: it is no request.
    """
    body = token.split(b".")[1]
    claims = codec.decode(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
    ask = claims["nats"]
    options, client = ask["connect_opts"], ask["client_info"]
    username = str(options.get("user", ""))
    client_id = str(client.get("mqtt_id") or "")
    named = devices_of(ask.get("client_tls") or {})
    return Ask(
        # Whoever shows the certificate of a device is this device, and nobody else.
        username=identity(named, username, client_id) if named else username,
        password=str(options.get("pass", "")),
        client_id=client_id,
        address=str(client.get("host", "")),
        nkey=str(ask["user_nkey"]),
        server=str(ask["server_id"]["id"]),
        is_certified=bool(named),
    )


def is_listening(ask: Ask, listeners: Mapping[str, Listener]) -> bool:
    """Whether it is a listener with its own client id, so that it cannot take a device's place."""
    listener = listeners.get(ask.username)
    return listener is not None and ask.is_of_program and is_right(ask, listener)


def user_of(ask: Ask, logins: Mapping[str, MqttLogin], listeners: Mapping[str, Listener]) -> str:
    """The user of this login. Raises `KeyError` if there is none."""
    return (logins.get(ask.username) or listeners[ask.username]).user_id


def is_right(ask: Ask, login: MqttLogin | Listener) -> bool:
    """Whether the password is that of the login, or a certificate names its device."""
    if ask.is_certified:
        return ask.username == login.username
    return hmac.compare_digest(password_digest(ask.password), login.password_sha256)


def of_device(login: MqttLogin, partitions: int) -> dict[str, Any]:
    user, device = login.user_id, login.device_code
    k = partition(user, device, partitions)
    place = f"users.{user}.devices.{device}"
    return {
        # The mapping comes before the permission check. A will may arrive unmapped, and so do
        # messages in one read with their CONNECT: the server looks up the account's mappings before
        # it knows the account, and acknowledges even messages that it then refuses. So a device may
        # publish to wrong topics of its own: what is allowed reaches us, and its device is told.
        "pub": {
            "allow": [
                f"part.{k}.{place}.feeds",
                f"part.{k}.{place}.feeds.*",
                f"state.{k}.{place}.status",
                f"state.{k}.{place}.commands.*.ack",
                place,
                f"{place}.>",
            ],
            "deny": [f"{place}.commands", f"{place}.errors"],
        },
        "sub": {"allow": [place, f"{place}.>"]},
    }


def of_listener(user_id: str) -> dict[str, Any]:
    """A listener receives what is published for its user, and publishes nothing."""
    place = f"live.{user_id}"
    return {"pub": {"deny": [">"]}, "sub": {"allow": [place, f"{place}.>"]}}


class Signer:
    """Answers, signed with the key whose public half is in the server's configuration."""

    def __init__(self, seed: bytes, account: str) -> None:
        self._account = account
        self._key = nkeys.from_seed(bytearray(seed))
        self._issuer = public_key(seed)

    def answer(self, ask: Ask, permissions: dict[str, Any] | None, now_us: int) -> bytes:
        """Accept the client with these permissions; None: refuse it."""
        issued = {"iat": now_us // 1_000_000, "iss": self._issuer, "sub": ask.nkey}
        if permissions is None:
            body = {"error": REFUSED}
        else:
            body = {"jwt": self._sign({**issued, **self._user(ask.username, permissions)})}
        response = {**body, "type": "authorization_response", "version": 2}
        return self._sign({**issued, "aud": ask.server, "nats": response}).encode()

    def _user(self, username: str, permissions: dict[str, Any]) -> dict[str, Any]:
        return {
            "aud": self._account,
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
        return f"{head}.{body}.{_b64(self._key.sign(f'{head}.{body}'.encode()))}"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
