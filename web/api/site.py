"""The REST call for what a page must know before sign-in."""

from protocol.rest.site import SiteView, ZaloSite
from web.http.context import Call
from web.http.operation import Auth, Json
from web.http.routing import Api

api = Api("people")


@api.operation("GET", "/site", answer=Json(SiteView), auth=Auth.PUBLIC)
async def show_site(call: Call) -> SiteView:
    """Show whether sign-up is open and mail is set up, and where devices connect."""
    settings = call.settings
    zalo = None
    if settings.zalo_app_id is not None:
        zalo = ZaloSite(app_id=settings.zalo_app_id, permission_url=settings.zalo_permission_url)
    return SiteView(
        signup_open=settings.signup_open,
        sends_mail=call.mails_links,
        zalo=zalo,
        mqtt_url=settings.mqtt_url,
        map_tiles_url=settings.map_tiles_url,
        map_attribution=settings.map_attribution,
        map_attribution_url=settings.map_attribution_url,
        map_zoom_max=settings.map_zoom_max,
        media_bytes_max=settings.media_bytes_max,
    )
