"""Who is asking: tokens (JWT, HS256) and where a request may carry one."""

from typing import Any
from urllib.parse import urlsplit

import jwt
import msgspec
from quart import Request, Websocket

from actors.ports import Ids, Store, WallClock
from protocol.errors import Forbidden, Unauthorized
from protocol.ids import is_uuid
from protocol.records import User
from protocol.times import SECOND_US

COOKIE = "roost_token"
TOKEN_S = 8 * 24 * 3600
IDP = "roost"


class Claims(msgspec.Struct, frozen=True):
    """What a token says: whose it is, and until when (µs)."""

    user_id: str
    jti: str
    expires_us: int


class Tokens:
    """Makes and reads tokens. Expiry is judged by our clock, not by the library's."""

    def __init__(self, secret: str, clock: WallClock, ids: Ids) -> None:
        self._secret = secret
        self._clock = clock
        self._ids = ids

    def issue(self, user_id: str) -> str:
        now_s = self._clock.now_us() // SECOND_US
        claims = {
            "sub": user_id,
            "idp": IDP,
            "jti": self._ids.uuid(),
            "iat": now_s,
            "exp": now_s + TOKEN_S,
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def read(self, token: str) -> Claims:
        """Raises `Unauthorized` for anything but a valid token of ours that still runs."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                options={
                    "verify_exp": False,
                    "verify_iat": False,
                    "require": ["sub", "exp", "jti", "idp"],
                },
            )
            expires_us = int(claims["exp"]) * SECOND_US
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError):
            raise Unauthorized("the token is not valid") from None
        if claims["idp"] != IDP or not is_uuid(claims["sub"]):
            raise Unauthorized("the token is not valid")
        if expires_us <= self._clock.now_us():
            raise Unauthorized("the token has expired")
        return Claims(claims["sub"], str(claims["jti"]), expires_us)


class Auth:
    """Finds the user of a request or a socket."""

    def __init__(self, tokens: Tokens, store: Store, public_url: str | None) -> None:
        self.tokens = tokens
        self._store = store
        self._public = None if public_url is None else _origin(public_url)

    async def user_of(self, token: str) -> tuple[User, Claims]:
        """Raises `Unauthorized` when the token or its user is not valid any more."""
        claims = self.tokens.read(token)
        user = await self._store.user(claims.user_id)
        if user is None:
            raise Unauthorized("the token is not valid")
        return user, claims

    async def user_of_request(self, request: Request) -> User:
        """By `x-auth-token`, `Authorization: Bearer` or the cookie (then from our pages only)."""
        token = _header_token(request)
        if token is None:
            token = request.cookies.get(COOKIE)
            safe = request.method in ("GET", "HEAD", "OPTIONS")
            if token and not safe and not self.is_same_origin(request):
                raise Forbidden("the cookie counts for requests from our own pages only")
        if not token:
            raise Unauthorized("sign in first")
        user, _ = await self.user_of(token)
        return user

    def token_of_socket(self, socket: Websocket) -> str | None:
        """A token in the query, a header, or the cookie of one of our own pages."""
        token = socket.args.get("token") or _header_token(socket)
        if token is None and self.is_same_origin(socket):
            token = socket.cookies.get(COOKIE)
        return token or None

    def is_same_origin(self, asked: Request | Websocket) -> bool:
        """Whether a browser says that the page which asks is ours.

        A program says nothing of pages: only browsers are led by strangers, and they send Origin
        with every request that changes something and with every WebSocket.
        """
        origin = asked.headers.get("Origin")
        if origin is None:
            return asked.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none")
        try:
            if self._public is not None:
                return _origin(origin) == self._public
            return urlsplit(origin).netloc.lower() == asked.headers.get("Host", "").lower()
        except ValueError:
            return False


def _header_token(asked: Request | Websocket) -> str | None:
    token = asked.headers.get("x-auth-token")
    if token:
        return token
    kind, _, rest = asked.headers.get("Authorization", "").partition(" ")
    return rest.strip() if kind.lower() == "bearer" and rest.strip() else None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return parts.scheme.lower(), parts.netloc.lower().removesuffix(default)
