"""Where the map's street tiles come from: nowhere, OpenStreetMap in one step, or a server of one's
own.

What OpenStreetMap asks of those who use its tiles is kept without further settings: the credit with
its link, zoom 19 at most, a Referer, nothing loaded before somebody looks, and nothing at all
before the operator has decided (https://operations.osmfoundation.org/policies/tiles/).
"""

from dataclasses import dataclass

from protocol.errors import SettingsError
from roost.settings import check_base_url, check_count, check_tiles

ZOOM_MAX = 24


@dataclass(frozen=True, kw_only=True)
class MapTiles:
    """`url`: a template with {z}, {x} and {y}; None: the map draws its own ground.
    `attribution_url`: where the credit leads."""

    url: str | None = None
    attribution: str = ""
    attribution_url: str | None = None
    zoom_max: int = 19


OSM = MapTiles(
    url="https://tile.openstreetmap.org/{z}/{x}/{y}.png",
    attribution="© OpenStreetMap contributors",
    attribution_url="https://www.openstreetmap.org/copyright",
)


def chosen_tiles(
    name: str | None, url: str | None, attribution: str, attribution_url: str | None, zoom_max: int
) -> MapTiles:
    """`name`: `osm` or none. Raises `SettingsError`."""
    if name:
        if name != "osm":
            raise SettingsError(f"map tiles: {name!r} is not osm")
        if url or attribution or attribution_url:
            raise SettingsError(
                "map tiles osm has its own URL and credit: leave out map tiles url, attribution"
                " and attribution url"
            )
        return OSM
    return MapTiles(
        url=check_tiles(url),
        attribution=attribution,
        attribution_url=_checked_link(attribution_url),
        zoom_max=check_count(zoom_max, "map zoom max", 1, ZOOM_MAX),
    )


def _checked_link(url: str | None) -> str | None:
    """A page somewhere. Raises `SettingsError`."""
    if not url:
        return None
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    check_base_url(f"{scheme}://{host}", "map attribution url")
    return f"{scheme}://{host}{slash}{path}"
