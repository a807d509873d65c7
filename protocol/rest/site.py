"""What a server shows before sign-in (`GET /site`)."""

import msgspec


class ZaloSite(msgspec.Struct, frozen=True):
    """Where a browser signs in with Zalo (OAuth v4), and the application's id."""

    app_id: str
    permission_url: str


class SiteView(msgspec.Struct, frozen=True, kw_only=True):
    """`sends_mail`: whether a link for a new password can be asked for by mail.
    `map_tiles_url`: a template with {z}, {x} and {y}; null: the map draws its own ground.
    `map_attribution_url`: the page that the tiles' credit links to."""

    signup_open: bool
    sends_mail: bool
    zalo: ZaloSite | None
    mqtt_url: str | None
    map_tiles_url: str | None
    map_attribution: str
    map_attribution_url: str | None
    map_zoom_max: int
    media_bytes_max: int
