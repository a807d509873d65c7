"""Authentication: tokens (JWT, HS256), and where a request may carry one."""

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import jwt
import msgspec
import structlog
from quart import Request, Websocket

from actors.access.sessions import Sessions
from actors.ports.ids import Ids
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.recent_keys import RecentKeys
from actors.runtime.sampled import Sampled
from protocol.errors import Forbidden, Unauthorized
from protocol.ids import is_uuid
from protocol.people.access import USED_EVERY_S, ApiKey, is_key, kept_of
from protocol.people.people import TICKET_S, AuditEntry, Session
from protocol.people.user import User
from protocol.problems.detail import Detail
from protocol.times import LAST_US, SECOND_US
from web.http.addresses import WARN_EVERY_S, Addresses
from web.http.agents import agent_of
from web.http.failed_auth import FailedAuth

log = structlog.get_logger("roost.web")

COOKIE = "roost_token"
KEY_USES_MAX = 10_000
TOKENS_MAX = 1_000  # valid ones of some 300 bytes: below half a megabyte


class Principal(msgspec.Struct, frozen=True):
    """An authenticated user, by a session or an API key; `by_cookie`: a browser sent the cookie."""

    user: User
    session: Session | None = None
    key: ApiKey | None = None
    by_cookie: bool = False

    @property
    def id(self) -> str:
        """The id of the session or key; the principal is valid as long as it exists."""
        way = self.session or self.key
        assert way is not None
        return way.id

    @property
    def expires_us(self) -> int:
        """When it expires."""
        if self.key is not None:
            return LAST_US if self.key.expires_us is None else self.key.expires_us
        assert self.session is not None
        return self.session.expires_us


class Tokens:
    """Creates and decodes tokens; whether their session is still valid is checked elsewhere."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        # A token always decodes to the same, and comes with every request.
        self._checked = lru_cache(TOKENS_MAX)(self._check)

    def issue(self, user: User, session: Session) -> str:
        claims = {
            "sub": _subject(user),
            "idp": user.idp,
            "jti": session.id,
            "iat": session.created_us // SECOND_US,
            "exp": session.expires_us // SECOND_US,
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def read(self, token: str) -> tuple[str, str, str]:
        """The session and the user that the token names: (jti, idp, sub).

        Raises:
            Unauthorized: it is not a token of this server.
        """
        return self._checked(token)

    def _check(self, token: str) -> tuple[str, str, str]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                options={
                    "verify_exp": False,  # the session's end counts, by our clock
                    "verify_iat": False,
                    "require": ["sub", "exp", "jti", "idp"],
                },
            )
        except (jwt.InvalidTokenError, ValueError):
            raise Unauthorized(Detail("token_invalid")) from None
        said = claims["jti"], claims["idp"], claims["sub"]
        if not all(isinstance(each, str) for each in said) or not is_uuid(said[0]):
            raise Unauthorized(Detail("token_invalid"))
        return said


def _subject(user: User) -> str:
    """The user's name at the identity provider; the id for Roost's own users."""
    return user.id if user.subject is None else user.subject


class Auth:
    """Finds the user of a request or a socket."""

    def __init__(
        self,
        tokens: Tokens,
        sessions: Sessions,
        store: Store,
        clock: WallClock,
        ids: Ids,
        addresses: Addresses,
        public_url: str | None,
    ) -> None:
        self.tokens = tokens
        self.failed = FailedAuth()
        self._addresses = addresses
        self._sessions = sessions
        self._store = store
        self._clock = clock
        self._ids = ids
        self._key_uses = RecentKeys(KEY_USES_MAX)
        self._schemes = Sampled(WARN_EVERY_S)
        self._public = None if public_url is None else _origin(public_url)

    async def asker_of(self, token: str, asked: Request | Websocket) -> Principal:
        """The principal of a token.

        Raises:
            Unauthorized: the token, its session or its user is no longer valid.
            TooMany, Busy: like `FailedAuth.trying`.
        """
        async with self.failed.trying(self._addresses.network(asked)):
            return await self._asker_of(token, asked)

    async def _asker_of(self, token: str, asked: Request | Websocket) -> Principal:
        if is_key(token):
            return await self._holder_of(token, asked)
        session_id, idp, subject = self.tokens.read(token)
        principal = await self._asker_in(session_id)
        if (idp, subject) != (principal.user.idp, _subject(principal.user)):
            raise Unauthorized(Detail("token_invalid"))
        return principal

    async def _holder_of(self, key: str, asked: Request | Websocket) -> Principal:
        now_us = self._clock.now_us()
        found = await self._store.api_key(kept_of(key))
        if found is None or (found[0].expires_us or LAST_US) <= now_us:
            raise Unauthorized(Detail("api_key_invalid"))
        known, user = found
        network = self._addresses.network(asked)
        is_due = now_us - (known.last_used_us or 0) >= USED_EVERY_S * SECOND_US
        if is_due or f"{known.id} {network}" not in self._key_uses:
            if await self._store.api_key_used(known.id, now_us, network):
                await self._store.add_audit(self._first_use(known, now_us, asked))
            self._key_uses.add(f"{known.id} {network}")
        return Principal(user, key=known)

    def _first_use(self, key: ApiKey, now_us: int, asked: Request | Websocket) -> AuditEntry:
        return AuditEntry(
            user_id=key.user_id,
            at_us=now_us,
            action="api_key_used",
            subject=key.name,
            address=self._addresses.client(asked),
            agent=agent_of(asked),
        )

    async def is_in(self, principal: Principal, token: str) -> bool:
        """Whether a principal that was found a moment ago is still valid."""
        if principal.key is not None:
            return await self._store.api_key(kept_of(token)) is not None
        return await self._sessions.find(principal.id) is not None

    async def _asker_in(self, session_id: str) -> Principal:
        found = await self._sessions.find(session_id)
        if found is None:
            raise Unauthorized(Detail("session_ended"))
        session, user = found
        if session.expires_us <= self._clock.now_us():
            raise Unauthorized(Detail("token_expired"))
        return Principal(user, session)

    async def asker_of_request(self, request: Request) -> Principal:
        """From `x-auth-token`, `Authorization: Bearer` or the cookie (only from Roost's own pages).
        Raises like `asker_of`."""
        token = _header_token(request)
        by_cookie = token is None
        if by_cookie:
            token = request.cookies.get(COOKIE)
            safe = request.method in ("GET", "HEAD", "OPTIONS")
            if token and not safe and not self.is_same_origin(request):
                raise Forbidden(Detail("cookie_from_elsewhere"))
        if not token:
            raise Unauthorized(Detail("sign_in_first"))
        principal = await self.asker_of(token, request)
        return msgspec.structs.replace(principal, by_cookie=by_cookie)

    def new_ticket(self) -> tuple[str, bytes, int]:
        """A ticket for a socket, its hash to store, and until when (µs) it is valid."""
        ticket = self._ids.secret()
        return ticket, kept_of(ticket), self._clock.now_us() + TICKET_S * SECOND_US

    async def asker_with(self, ticket: str, asked: Request | Websocket) -> Principal:
        """Raises like `asker_of`, for a ticket that was used, has expired or never existed."""
        async with self.failed.trying(self._addresses.network(asked)):
            session_id = await self._store.take_ticket(kept_of(ticket), self._clock.now_us())
            if session_id is None:
                raise Unauthorized(Detail("ticket_invalid"))
            return await self._asker_in(session_id)

    def token_of_socket(self, socket: Websocket) -> str | None:
        """A token in the query, a header, or the cookie from one of Roost's own pages."""
        token = socket.args.get("token") or _header_token(socket)
        if token is None and self.is_same_origin(socket):
            token = socket.cookies.get(COOKIE)
        return token or None

    def is_same_origin(self, asked: Request | Websocket) -> bool:
        """Whether a browser reports that the request comes from one of Roost's own pages.

        Other programs send no origin. Only browsers can be abused by other sites, and they send
        Origin with every request that changes something and with every WebSocket. Behind a proxy
        that speaks TLS, the public URL or the trusted proxies must be set.
        """
        origin = asked.headers.get("Origin")
        if origin is None:
            return asked.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none")
        try:
            if self._public is not None:
                return _origin(origin) == self._public
            scheme = "https" if self._addresses.is_https(asked) else "http"
            ours = _origin(f"{scheme}://{asked.headers.get('Host', '')}")
            said = _origin(origin)
        except ValueError:
            return False
        if said[0] != ours[0] and said[1] == ours[1] and (times := self._schemes.times()):
            log.warning(
                "the page's address has another scheme than its requests to Roost; behind a proxy"
                " that speaks TLS, set the public URL",
                origin=origin[:200],
                times=times,
                setting="--public-url",
            )
        return said == ours


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
