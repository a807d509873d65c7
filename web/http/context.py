"""The context of handlers: the settings of the web server, the parts behind it, and one request."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import msgspec
from quart import Request
from werkzeug.datastructures import Headers

from actors.runtime.histogram import SECONDS, Histogram
from actors.service import Service
from protocol.errors import Forbidden
from protocol.people.people import AUDIT_KEPT_DAYS
from protocol.people.user import User
from protocol.problems.detail import Detail
from protocol.records import MqttLogin
from protocol.rest.charts import MINUTE_SUMS_DAYS
from web.api.import_budget import IMPORTED_BYTES_PER_HOUR, IMPORTED_PER_HOUR, Imports
from web.http.addresses import Addresses, Network
from web.http.auth import Auth, Principal
from web.http.bounds import Bounds
from web.http.device_auth import DeviceAuth
from web.http.limits import Rates
from web.http.long_queries import LongQueries
from web.http.pace import PER_S, Pace
from web.http.thinking import Thinking
from web.http.upload_places import Uploads
from web.people.hashing import Hashing
from web.people.sign_in_limits import SignInLimits

T = TypeVar("T")

MEDIA_BYTES_MAX = 256 << 20
MEDIA_QUOTA_BYTES = 10 << 30
REQUESTS_PER_S = 100.0  # per user


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the web server.

    Attributes:
        mqtt_url, mqtt_ws_url: the addresses that devices connect to.
        mqtt_version: the newest version of MQTT that the broker speaks.
        media_bytes_max, media_quota_bytes: for one file, and for all files of a user.
        webhooks_private: whether webhooks may reach private networks.
        cors_origins: origins whose pages may use the API.
        requests_per_s, requests_per_s_of_address: per user, and per address.
        imported_per_hour, imported_bytes_per_hour: readings in files, and bytes of files, per user.
        zalo_app_id, zalo_permission_url: for the sign-in with Zalo.
        map_tiles_url: a template with {z}, {x} and {y}; without it the map draws its own ground.
        map_attribution, map_attribution_url: the credit of its tiles, and the page it links to.
        trusted_proxies: networks whose headers about the client's address and TLS are trusted.
        bounds: how many objects a user may have.
        audit_days: how long entries of the activity log are kept.
        minute_sums_days: how long sums of minutes are kept; 0: for ever.
        security_contact: a URI for reports of vulnerabilities (RFC 9116).
    """

    jwt_secret: str
    public_url: str | None = None
    signup_open: bool = True
    mqtt_url: str | None = None
    mqtt_ws_url: str | None = None
    mqtt_version: str | None = None
    media_bytes_max: int = MEDIA_BYTES_MAX
    media_quota_bytes: int = MEDIA_QUOTA_BYTES
    webhooks_private: bool = False
    cors_origins: tuple[str, ...] = ()
    requests_per_s: float = REQUESTS_PER_S
    imported_per_hour: int = IMPORTED_PER_HOUR
    imported_bytes_per_hour: int = IMPORTED_BYTES_PER_HOUR
    zalo_app_id: str | None = None
    zalo_permission_url: str = ""
    map_tiles_url: str | None = None
    map_attribution: str = ""
    map_attribution_url: str | None = None
    map_zoom_max: int = 19
    trusted_proxies: tuple[Network, ...] = ()
    bounds: Bounds = Bounds()
    security_contact: str | None = None
    audit_days: int = AUDIT_KEPT_DAYS
    minute_sums_days: int = MINUTE_SUMS_DAYS
    requests_per_s_of_address: float = PER_S


@dataclass(frozen=True, kw_only=True)
class Context:
    """The parts that handlers use.

    Attributes:
        durations: of requests by operation, in seconds, until the answer begins.
    """

    service: Service
    auth: Auth
    device_auth: DeviceAuth
    hashing: Hashing
    settings: WebSettings
    uploads: Uploads
    limits: SignInLimits
    rates: Rates
    imports: Imports
    addresses: Addresses
    thinking: Thinking
    queries: LongQueries
    pace: Pace
    durations: defaultdict[str, Histogram] = field(
        default_factory=partial(defaultdict, partial(Histogram, SECONDS))
    )


class Call:
    """One request: its user, and what handlers may use.

    Attributes:
        headers: of the answer.
        status: of the answer, if it is not the operation's usual one.
        has_shown_code: it has shown a second factor: a handler that runs again asks for no other.
    """

    def __init__(
        self,
        context: Context,
        asked: Request,
        principal: Principal | None,
        login: MqttLogin | None = None,
    ) -> None:
        self.service = context.service
        self.auth = context.auth
        self.hashing = context.hashing
        self.settings = context.settings
        self.uploads = context.uploads
        self.imports = context.imports
        self.request = asked
        self.limits = context.limits
        self._thinking = context.thinking
        self._queries = context.queries
        self._addresses = context.addresses
        self._principal = principal
        self._login = login
        self._device_auth = context.device_auth
        self.headers = Headers()
        self.status: int | None = None
        self.has_shown_code = False

    @property
    def principal(self) -> Principal:
        assert self._principal is not None, "a public operation has no user"
        return self._principal

    @property
    def user(self) -> User:
        return self.principal.user

    @property
    def login(self) -> MqttLogin:
        """Of the device that asks."""
        assert self._login is not None, "only an operation of devices has a login"
        return self._login

    @property
    def has_user(self) -> bool:
        """False if a signed link replaces the login."""
        return self._principal is not None

    @property
    def address(self) -> str:
        """The client's address."""
        return self._addresses.client(self.request)

    def where(self) -> str:
        """The public URL of this server. Anybody may send any `Host`, so links never use it."""
        if self.settings.public_url is None:
            raise Forbidden(Detail("no_public_url"))
        return self.settings.public_url

    @property
    def mails_links(self) -> bool:
        """Whether links can be mailed: mail is set up, and the public URL is known."""
        return self.service.mailer is not None and self.settings.public_url is not None

    @property
    def is_https(self) -> bool:
        """Whether the client speaks TLS, as far as it is known."""
        public = self.settings.public_url or ""
        return public.startswith("https:") or self._addresses.is_https(self.request)

    async def think(self, step: Callable[[], T]) -> T:
        """The result of this step of tens of milliseconds, run when its turn comes. Raises also
        `TooMany` and `Busy`."""
        return await self._thinking.turn(self.user.id, step)

    def charting(self) -> AbstractAsyncContextManager[None]:
        """Around a long query of the database. Raises `TooMany` and `Busy`."""
        return self._queries.charting.turn(self.user.id)

    def erasing(self) -> AbstractAsyncContextManager[None]:
        """Around the deletion of a history. Raises `TooMany` and `Busy`."""
        return self._queries.erasing.turn(self.user.id)

    async def data(self) -> bytes:
        """The body, up to the app's limit. Raises like `ask_again`."""
        data = await self.request.get_data(as_text=False)
        assert isinstance(data, bytes)
        await self.ask_again()
        return data

    async def ask_again(self) -> None:
        """Look once more at whoever asks, when the body is there: it may be held back for long.

        Raises:
            Unauthorized: the session, key, account or device has ended meanwhile.
        """
        if self._principal is not None:
            self._principal = await self.auth.asker_of_request(self.request)
        elif self._login is not None:
            self._login = await self._device_auth.login_of(self.request)
