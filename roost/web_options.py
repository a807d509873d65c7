"""Options of the web server, the same for `roost up` and `roost serve`."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from actors.adapters.http.zalo import GRAPH_URL, OAUTH_URL, ZaloSettings
from actors.adapters.smtp.mailer import MailSettings
from protocol.errors import SettingsError
from protocol.people.people import AUDIT_KEPT_DAYS
from protocol.rest.charts import MINUTE_SUMS_DAYS
from roost.map_tiles import chosen_tiles
from roost.settings import (
    Binds,
    check_base_url,
    check_bytes,
    check_contact,
    check_count,
    check_jwt_secret,
    check_networks,
    check_origins,
    check_public_url,
    check_rate,
    check_signup,
    check_smtp,
    check_webhook_networks,
    parse_bind,
)
from web.api.import_budget import IMPORTED_BYTES_PER_HOUR, IMPORTED_PER_HOUR
from web.http.bounds import Bounds
from web.http.context import MEDIA_BYTES_MAX, MEDIA_QUOTA_BYTES, REQUESTS_PER_S, WebSettings
from web.http.pace import PER_S

AUDIT_DAYS_MAX = 3_650
MINUTE_SUMS_DAYS_MAX = 3_650


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WebOptions:
    """The given values; `settings` checks them."""

    public_url: Annotated[str | None, Parameter(help="Public URL of this server.")] = None
    ops: Annotated[
        str | None,
        Parameter(
            help="Address for operators: HOST:PORT. /metrics and the details of /readyz are then"
            " served there only."
        ),
    ] = None
    audit_log_days: Annotated[
        int, Parameter(help="How many days entries of the activity log are kept.")
    ] = AUDIT_KEPT_DAYS
    minute_sums_days: Annotated[
        int,
        Parameter(
            help="How many days sums of minutes are kept for charts; 0 keeps them. Older charts"
            " are made of hours and readings."
        ),
    ] = MINUTE_SUMS_DAYS
    security_contact: Annotated[
        str | None,
        Parameter(help="Email address or URL for reports of vulnerabilities (security.txt)."),
    ] = None
    trusted_proxies: Annotated[
        str,
        Parameter(help="Addresses or networks of proxies in front of Roost, comma-separated."),
    ] = ""
    signup: Annotated[
        str, Parameter(help="Whether people may create accounts: open or closed.")
    ] = "open"
    jwt_secret: Annotated[
        str | None, Parameter(help="Signs tokens. Default: generated at the first start.")
    ] = None
    media_bytes_max: Annotated[int, Parameter(help="Maximum size of a media file, in bytes.")] = (
        MEDIA_BYTES_MAX
    )
    media_quota_bytes: Annotated[
        int, Parameter(help="Maximum size of all media of a user, in bytes.")
    ] = MEDIA_QUOTA_BYTES
    webhook_networks: Annotated[
        str,
        Parameter(help="Networks that webhooks may reach: public, or any (also private ones)."),
    ] = "public"

    cors_origins: Annotated[
        str,
        Parameter(
            help="Origins whose pages may use the API: https://app.example, comma-separated."
        ),
    ] = ""
    requests_per_s: Annotated[float, Parameter(help="Maximum requests a second per user.")] = (
        REQUESTS_PER_S
    )
    imported_per_hour: Annotated[
        int, Parameter(help="Maximum readings that one user may import in an hour.")
    ] = IMPORTED_PER_HOUR
    imported_bytes_per_hour: Annotated[
        int, Parameter(help="Maximum bytes of files that one user may import in an hour.")
    ] = IMPORTED_BYTES_PER_HOUR
    requests_per_s_of_address: Annotated[
        float, Parameter(help="Maximum requests a second per address; further ones wait.")
    ] = PER_S
    zalo_app_id: Annotated[
        str | None, Parameter(help="Id of the application that is registered with Zalo.")
    ] = None
    zalo_app_secret: Annotated[str | None, Parameter(help="Secret key of that application.")] = None
    zalo_oauth_url: Annotated[str, Parameter(help="Base URL of Zalo's OAuth server.")] = OAUTH_URL
    zalo_graph_url: Annotated[str, Parameter(help="Base URL of Zalo's profile server.")] = GRAPH_URL

    map_tiles: Annotated[
        str | None,
        Parameter(help="osm: street tiles of OpenStreetMap, under its tile usage policy."),
    ] = None
    map_tiles_url: Annotated[
        str | None,
        Parameter(help="Tile server of the map: https://tiles.example/{z}/{x}/{y}.png."),
    ] = None
    map_attribution: Annotated[str, Parameter(help="Attribution of the map tiles.")] = ""
    map_attribution_url: Annotated[
        str | None, Parameter(help="Page that the attribution links to.")
    ] = None
    map_zoom_max: Annotated[int, Parameter(help="Maximum zoom level of the tile server.")] = 19

    smtp_url: Annotated[
        str | None,
        Parameter(help="Mail server: smtp://user:password@host:587, smtps:// or smtp+plain://."),
    ] = None
    mail_from: Annotated[str, Parameter(help="Sender address of mail.")] = "roost@localhost"

    def binds(self, http: str) -> Binds:
        """Raises `SettingsError`."""
        return Binds(parse_bind(http, "http"), parse_bind(self.ops, "ops") if self.ops else None)

    def mail(self) -> MailSettings | None:
        """None if nothing is set. Raises `SettingsError`."""
        return check_smtp(self.smtp_url, self.mail_from) if self.smtp_url else None

    def zalo(self) -> ZaloSettings | None:
        """None if nothing is set. Raises `SettingsError`."""
        if not self.zalo_app_id and not self.zalo_app_secret:
            return None
        if not self.zalo_app_id or not self.zalo_app_secret:
            raise SettingsError("Zalo needs both an app id and an app secret")
        return ZaloSettings(
            app_id=self.zalo_app_id,
            app_secret=self.zalo_app_secret,
            oauth_url=check_base_url(self.zalo_oauth_url, "Zalo OAuth URL"),
            graph_url=check_base_url(self.zalo_graph_url, "Zalo graph URL"),
        )

    def settings(self, bounds: Bounds) -> WebSettings:
        """Without a secret the `jwt_secret` is empty. Raises `SettingsError`."""
        tiles = chosen_tiles(
            self.map_tiles,
            self.map_tiles_url,
            self.map_attribution,
            self.map_attribution_url,
            self.map_zoom_max,
        )
        return WebSettings(
            jwt_secret=check_jwt_secret(self.jwt_secret) or "",
            public_url=check_public_url(self.public_url),
            audit_days=check_count(self.audit_log_days, "audit log days", 1, AUDIT_DAYS_MAX),
            minute_sums_days=check_count(
                self.minute_sums_days, "minute sums days", 0, MINUTE_SUMS_DAYS_MAX
            ),
            security_contact=check_contact(self.security_contact),
            trusted_proxies=check_networks(self.trusted_proxies, "trusted proxies"),
            zalo_app_id=self.zalo_app_id or None,
            zalo_permission_url=f"{self.zalo_oauth_url.rstrip('/')}/v4/permission",
            map_tiles_url=tiles.url,
            map_attribution=tiles.attribution,
            map_attribution_url=tiles.attribution_url,
            map_zoom_max=tiles.zoom_max,
            cors_origins=check_origins(self.cors_origins),
            requests_per_s=check_rate(self.requests_per_s),
            imported_per_hour=check_count(self.imported_per_hour, "imported per hour"),
            imported_bytes_per_hour=check_bytes(
                self.imported_bytes_per_hour, "imported bytes per hour"
            ),
            requests_per_s_of_address=check_rate(self.requests_per_s_of_address),
            signup_open=check_signup(self.signup),
            media_bytes_max=check_bytes(self.media_bytes_max, "media bytes max"),
            media_quota_bytes=check_bytes(self.media_quota_bytes, "media quota bytes"),
            webhooks_private=check_webhook_networks(self.webhook_networks),
            bounds=bounds,
        )
