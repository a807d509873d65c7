"""What a server says of itself to whoever comes."""

import msgspec


class ZaloSite(msgspec.Struct, frozen=True):
    """Where a browser goes to sign in with Zalo (OAuth v4), and as which application."""

    app_id: str
    permission_url: str


class SiteView(msgspec.Struct, frozen=True, kw_only=True):
    """`map_tiles_url`: a template with {z}, {x} and {y}; the map shows land outlines without it."""

    signup_open: bool
    zalo: ZaloSite | None
    mqtt_url: str | None
    map_tiles_url: str | None
    map_attribution: str
    media_bytes_max: int
