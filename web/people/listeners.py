"""REST calls for a user's read-only MQTT login (the "listener")."""

import msgspec

from actors.access.mqtt_credentials import new_listener
from protocol.device.bridging import bridge_lines
from protocol.device.listeners import ListenerCreated, ListenerView, NewListener, listener_view
from protocol.errors import NotFound
from protocol.problems.detail import Detail
from web.http.context import Call
from web.http.operation import Auth, Json
from web.http.routing import Api
from web.people.activity import note

api = Api("people")


@api.operation(
    "POST",
    "/mqtt-listener",
    body=Json(NewListener),
    answer=Json(ListenerCreated),
    status=201,
    auth=Auth.SESSION,
)
async def add_listener(call: Call, body: NewListener) -> ListenerCreated:
    """Create a read-only MQTT login for your devices' readings and states.

    It replaces an earlier one. The password is shown in this response only. `mosquitto_bridge` are
    lines for a Mosquitto of your own, whose clients may speak MQTT 5.
    """
    now_us = call.service.clock.now_us()
    listener, password = new_listener(
        call.user.id, call.service.ids, now_us, home_assistant=body.home_assistant
    )
    await call.service.changes.set_listener(listener)
    await note(call, call.user.id, "mqtt_listener_set")
    call.headers["Cache-Control"] = "no-store"
    url = call.settings.mqtt_url
    return ListenerCreated(
        **msgspec.structs.asdict(listener_view(listener, url)),
        password=password,
        mosquitto_bridge=None if url is None else bridge_lines(listener, password, url),
    )


@api.operation("GET", "/mqtt-listener", answer=Json(ListenerView), errors=(404,), auth=Auth.SESSION)
async def show_listener(call: Call) -> ListenerView:
    """Show the read-only MQTT login, without its password."""
    listener = await call.service.store.listener(call.user.id)
    if listener is None:
        raise NotFound(Detail("mqtt_access_not_set_up"))
    return listener_view(listener, call.settings.mqtt_url)


@api.operation("DELETE", "/mqtt-listener", status=204, errors=(404,), auth=Auth.SESSION)
async def delete_listener(call: Call) -> None:
    """Delete the read-only MQTT login.

    Connected clients are disconnected, and messages that wait for them are discarded.
    """
    if not await call.service.changes.delete_listener(call.user.id):
        raise NotFound(Detail("mqtt_access_not_set_up"))
    await note(call, call.user.id, "mqtt_listener_deleted")
