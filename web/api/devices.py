"""REST calls for devices and their MQTT credentials."""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import Literal

import msgspec
from quart import Response

from actors.access.mqtt_credentials import client_id_of, new_login
from protocol.device.bulk import credentials_csv, read_devices
from protocol.device.recent_messages import SeenView, seen_view
from protocol.device.topics import prefix
from protocol.device.views import (
    DeviceChange,
    DeviceCreated,
    DeviceResource,
    MqttAccess,
    NewCredentials,
    NewDevice,
    device_created,
    device_resource,
)
from protocol.errors import NotTaken
from protocol.people.views import AccountView
from protocol.problems.detail import Detail
from protocol.records import Device, MqttLogin
from protocol.rest.listing import DEVICES
from protocol.rest.shapes import Page
from protocol.times import format_us
from protocol.views import given_in
from web.http.context import Call
from web.http.disposition import attachment
from web.http.examples import DEVICES_EXAMPLE
from web.http.listing import SearchQuery, listed, shown_alone
from web.http.missing import missing
from web.http.operation import Condition, Csv, CsvFile, Json
from web.http.preconditions import check_match, tag
from web.http.routing import Api
from web.people.activity import note

api = Api("devices")


class DevicesQuery(SearchQuery, frozen=True, kw_only=True):
    """`status`: online or offline; `q`: a part of a name or code."""

    status: Literal["online", "offline"] | None = None


class DeleteQuery(msgspec.Struct, frozen=True):
    purge: bool = False


async def device_of(call: Call, device_id: str) -> Device:
    """The user's device. Raises `NotFound`."""
    device = await call.service.store.device(call.user.id, device_id)
    if device is None:
        raise missing("device_id")
    return device


@api.operation("GET", "/devices", query=DevicesQuery, answer=Json(Page[DeviceResource]))
async def list_devices(call: Call, query: DevicesQuery) -> Page[DeviceResource]:
    """List your devices; `sort` takes created_at, name, device_code, status and last_seen."""
    return await listed(call, DEVICES, query, partial(_resource, call), status=query.status)


@api.operation(
    "POST", "/devices", body=Json(NewDevice), answer=Json(DeviceCreated), status=201, errors=(409,)
)
async def add_device(call: Call, body: NewDevice) -> DeviceCreated:
    """Register a device. Its MQTT password is shown in this response only."""
    ((device, access),) = await _added(call, [body])
    await note(call, call.user.id, "device_added", device.code)
    return device_created(device, access)


@api.operation(
    "POST",
    "/devices/import",
    body=Csv(DEVICES_EXAMPLE),
    answer=CsvFile(),
    status=201,
    errors=(409,),
)
async def add_devices(call: Call) -> Response:
    """Register up to 1,000 devices from CSV (`device_code`, `name`, `offline_after_s`).

    All are added or none. The response is a CSV file with their MQTT credentials, which are shown
    only here.
    """
    if call.request.mimetype != "text/csv":
        raise NotTaken(Detail("send_csv"))
    added = await _added(call, read_devices(await call.data()))
    await note(call, call.user.id, "device_added", Detail("log_devices", count=len(added)))
    content = credentials_csv(
        [
            (d.code, d.id, a.username, a.password, a.client_id, a.topic_prefix, a.url)
            for d, a in added
        ]
    )
    headers = {
        "Content-Disposition": attachment("credentials.csv"),
        "Cache-Control": "no-store",
    }
    return Response(content, 201, headers, content_type="text/csv; charset=utf-8")


async def _added(call: Call, wishes: Sequence[NewDevice]) -> list[tuple[Device, MqttAccess]]:
    """Add devices, all or none; returns each with its MQTT access.

    Raises:
        Conflict: a code is in use, or the user would have too many devices.
    """
    made = []
    for wish in wishes:
        device_id = call.service.ids.uuid()
        device = Device(
            num=0,
            id=device_id,
            user_id=call.user.id,
            code=wish.device_code,
            name=wish.name,
            offline_after_s=wish.offline_after_s,
            offline_alarm=wish.offline_alarm,
            client_id=client_id_of(device_id),
            created_us=call.service.clock.now_us(),
        )
        made.append((device, *_credentials(call, device)))
    wanted = [(device, login) for device, login, _ in made]
    most = call.settings.bounds.devices
    added = await call.service.changes.add_devices(call.user.id, wanted, most)
    return [(device, access) for device, (_, _, access) in zip(added, made, strict=True)]


@api.operation(
    "GET",
    "/devices/<device_id>",
    answer=Json(DeviceResource),
    errors=(404,),
    condition=Condition.REVISION,
)
async def show_device(call: Call, device_id: str) -> DeviceResource:
    """Show a device."""
    device = await device_of(call, device_id)
    tag(call, device.revision)
    return await shown_alone(call, DEVICES, device, partial(_resource, call))


@api.operation(
    "PATCH",
    "/devices/<device_id>",
    body=Json(DeviceChange),
    answer=Json(DeviceResource),
    errors=(404,),
    condition=Condition.REVISION,
)
async def change_device(call: Call, device_id: str, body: DeviceChange) -> DeviceResource:
    """Rename a device, or set after how many seconds without data it is offline."""
    device = await device_of(call, device_id)
    device = msgspec.structs.replace(device, **given_in(body))
    check_match(call, device.revision)
    await call.service.changes.change_device(device)
    await note(call, call.user.id, "device_changed", device.code)
    tag(call, device.revision + 1)
    return _resource(call, device)


@api.operation("DELETE", "/devices/<device_id>", query=DeleteQuery, status=204, errors=(404,))
async def delete_device(call: Call, device_id: str, query: DeleteQuery) -> None:
    """Delete a device and close its connection. Its feeds are kept unless `purge=true`."""
    device = await device_of(call, device_id)
    turn = call.erasing() if query.purge else nullcontext()
    await call.service.changes.delete_device(device, purge=query.purge, turn=turn)
    await note(call, call.user.id, "device_deleted", device.code)


@api.operation(
    "POST",
    "/devices/<device_id>/credentials",
    answer=Json(NewCredentials),
    status=201,
    errors=(404,),
)
async def new_credentials(call: Call, device_id: str) -> NewCredentials:
    """Create a new MQTT password. The old one stops working, and the connection is closed."""
    device = await device_of(call, device_id)
    login, access = _credentials(call, device)
    await call.service.changes.set_login(device, login)
    await note(call, call.user.id, "device_credentials_renewed", device.code)
    return NewCredentials(access)


@api.operation("GET", "/devices/<device_id>/account", answer=Json(AccountView), errors=(404,))
async def show_account(call: Call, device_id: str) -> AccountView:
    """Show what became of the device's readings since this server started.

    It also shows how many refused messages were counted without being kept.
    """
    device = await device_of(call, device_id)
    account = call.service.counters.of(device.key)
    not_kept = await call.service.store.not_kept(*device.key)
    return AccountView(
        **msgspec.structs.asdict(account),
        in_flight=account.in_flight,
        refusals_not_kept=not_kept.many,
        refusals_not_kept_at=None if not_kept.last_us is None else format_us(not_kept.last_us),
    )


@api.operation("GET", "/devices/<device_id>/messages", answer=Json(Page[SeenView]), errors=(404,))
async def last_messages(call: Call, device_id: str) -> Page[SeenView]:
    """List the device's last fifty messages as received, newest first, including refused ones.

    Only messages since this server started are known.
    """
    device = await device_of(call, device_id)
    found = call.service.recent_messages.of(device.key)
    return Page([seen_view(**msgspec.structs.asdict(each)) for each in found])


def _resource(call: Call, device: Device) -> DeviceResource:
    return device_resource(device, call.service.floods.of(device.key))


def _credentials(call: Call, device: Device) -> tuple[MqttLogin, MqttAccess]:
    login, password = new_login(device, call.service.ids)
    access = MqttAccess(
        username=login.username,
        password=password,
        client_id=login.client_id,
        topic_prefix=prefix(device.user_id, device.code),
        url=call.settings.mqtt_url,
        ws_url=call.settings.mqtt_ws_url,
        version=call.settings.mqtt_version,
    )
    return login, access
