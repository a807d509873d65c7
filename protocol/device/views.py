"""Request and response bodies about devices (CONTRACT §2)."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.device.refusals import StoredRejection
from protocol.errors import Reason
from protocol.events import DeviceView, device_view
from protocol.problems.coded import CodedView, code_of
from protocol.records import Device, Flood
from protocol.rest.patterns import WHOLE_CODE
from protocol.rest.shapes import Name, Time
from protocol.times import format_us
from protocol.views import view_of

Code = Annotated[str, Meta(pattern=WHOLE_CODE)]
OfflineAfter = Annotated[int, Meta(ge=1, le=30 * 24 * 3600)]


class NewDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    device_code: Code
    name: Name
    offline_after_s: OfflineAfter = 300
    offline_alarm: bool = True


class DeviceChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Name | UnsetType = UNSET
    offline_after_s: OfflineAfter | UnsetType = UNSET
    offline_alarm: bool | UnsetType = UNSET


class FloodView(msgspec.Struct, frozen=True, kw_only=True):
    """The last time since this server started that the device was disconnected for flooding: when
    (`at`), and when it may come back (`retry_at`)."""

    at: Time
    retry_at: Time
    messages_per_s: int
    reason: str


class DeviceResource(DeviceView, frozen=True, kw_only=True):
    """`Device` of CONTRACT §3 with its settings."""

    offline_after_s: int
    offline_alarm: bool
    created_at: str
    flood: FloodView | None = None


class MqttAccess(msgspec.Struct, frozen=True):
    """The device's MQTT login; shown once.

    Attributes:
        url, ws_url: of the broker, and of MQTT over WebSocket.
        version: the newest version of MQTT that the broker speaks, if Roost knows: "3.1.1" or "5".
    """

    username: str
    password: str
    client_id: str
    topic_prefix: str
    url: str | None = None
    ws_url: str | None = None
    version: str | None = None


class DeviceCreated(DeviceResource, frozen=True, kw_only=True):
    mqtt: MqttAccess


class NewCredentials(msgspec.Struct, frozen=True):
    mqtt: MqttAccess


def flood_view(flood: Flood) -> FloodView:
    return FloodView(
        at=format_us(flood.at_us),
        retry_at=format_us(flood.until_us),
        messages_per_s=flood.messages_per_s,
        reason=Reason.TOO_FAST,
    )


def device_resource(device: Device, flood: Flood | None = None) -> DeviceResource:
    return view_of(
        DeviceResource,
        device,
        **msgspec.structs.asdict(device_view(device)),
        flood=None if flood is None else flood_view(flood),
    )


def device_created(device: Device, mqtt: MqttAccess) -> DeviceCreated:
    return DeviceCreated(**msgspec.structs.asdict(device_resource(device)), mqtt=mqtt)


class RejectionView(CodedView, frozen=True, kw_only=True):
    id: str
    received_at: str
    device_id: str | None
    topic: str
    payload: str
    encoding: str
    reason: str
    detail: str


def rejection_view(stored: StoredRejection) -> RejectionView:
    return view_of(RejectionView, stored, **code_of(stored.coded))
