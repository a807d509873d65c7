"""What Roost took, published again for a user's own listeners (Node-RED, Home Assistant, …).

`live/U/devices/D/feeds/K` carries `{"value", "ts"}` of each reading that was taken, and
`live/U/devices/D/status` the state of the device (retained). A listener may read below `live/U/`
and publish nothing.

With `home_assistant` there are retained discovery documents, one for each device, below
`live/U/homeassistant`, to be set as the discovery prefix of Home Assistant's MQTT integration: its
usual prefix would be shared by all users. Their form: home-assistant.io, "MQTT", "Device discovery
payload". They are bounded: a broker ends the connection of whoever sends more than it takes, and a
user decides how many feeds there are and what they are called.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from protocol import codec
from protocol.device.values import Value
from protocol.events import device_view
from protocol.records import Device, Feed
from protocol.times import format_us

# Of one document: three hundred usual components are 80 kB. The embedded broker takes 8 MB.
COMPONENTS_MAX = 300
COMPONENTS_BYTES_MAX = 128 * 1024
# Before the id of a user: something older may have been said over what is retained.
AGAIN = "again "


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A user's read-only login; any client id that begins with the user name may use it."""

    user_id: str
    username: str
    password_sha256: bytes
    home_assistant: bool
    created_us: int


class NewListener(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    home_assistant: bool = False


class ListenerView(msgspec.Struct, frozen=True, kw_only=True):
    username: str
    client_id_prefix: str
    topic_prefix: str
    home_assistant: bool
    discovery_prefix: str | None
    url: str | None
    created_at: str


class ListenerCreated(ListenerView, frozen=True, kw_only=True):
    """`password` is shown once."""

    password: str


def listener_view(listener: Listener, url: str | None) -> ListenerView:
    prefix = live_prefix(listener.user_id)
    return ListenerView(
        username=listener.username,
        client_id_prefix=listener.username,
        topic_prefix=prefix,
        home_assistant=listener.home_assistant,
        discovery_prefix=f"{prefix}/homeassistant" if listener.home_assistant else None,
        url=url,
        created_at=format_us(listener.created_us),
    )


def live_prefix(user_id: str) -> str:
    return f"live/{user_id}"


def user_of(topic: str) -> str:
    """Whose it is, of every topic here."""
    return topic.split("/", 2)[1]


def reading_topic(user_id: str, code: str, key: str) -> str:
    return f"live/{user_id}/devices/{code}/feeds/{key}"


def reading_payload(value: Value, ts_us: int) -> bytes:
    return codec.encode({"value": value, "ts": format_us(ts_us)})


def status_topic(user_id: str, code: str) -> str:
    return f"live/{user_id}/devices/{code}/status"


def status_payload(device: Device) -> bytes:
    return codec.encode(device_view(device))


def discovery_topic(user_id: str, code: str) -> str:
    return f"live/{user_id}/homeassistant/device/{code}/config"


class Document(NamedTuple):
    """A discovery document, and how many feeds it leaves out for want of room."""

    payload: bytes
    left_out: int


def discovery(device: Device, feeds: Iterable[Feed], version: str) -> Document:
    """The document of a device and of the feeds that it writes, as far as there is room for them:
    the first ones go before the others."""
    components: dict[str, msgspec.Raw] = {}
    size = 0
    wanted = iter(feeds)
    left_out = 0
    for feed in islice(wanted, COMPONENTS_MAX):
        component = codec.encode(_component(device, feed))
        if size + len(component) > COMPONENTS_BYTES_MAX:
            left_out = 1
            break
        size += len(component)
        components[f"feed_{feed.key}"] = msgspec.Raw(component)
    left_out += sum(1 for _ in wanted)
    document: dict[str, Any] = {
        "device": {"identifiers": [f"roost-{device.id}"], "name": device.name},
        "origin": {"name": "Roost", "sw_version": version},
        "availability": [
            {
                "topic": status_topic(device.user_id, device.code),
                "value_template": "{{ 'offline' if value_json.status == 'offline' else 'online' }}",
            }
        ],
        "components": components,
        "qos": 0,
    }
    if device.state.firmware is not None:
        document["device"]["sw_version"] = device.state.firmware
    return Document(codec.encode(document), left_out)


def _component(device: Device, feed: Feed) -> dict[str, Any]:
    component: dict[str, Any] = {
        "platform": "binary_sensor" if feed.kind == "bool" else "sensor",
        # A feed that devices share is a sensor of each.
        "unique_id": f"roost-{device.id}-{feed.key}",
        "name": feed.name,
        "state_topic": reading_topic(device.user_id, device.code, feed.key),
        "value_template": "{{ value_json.value }}",
    }
    if feed.kind == "bool":
        component["value_template"] = "{{ 'ON' if value_json.value else 'OFF' }}"
    elif feed.kind == "number":
        component["state_class"] = "measurement"
        if feed.unit:
            component["unit_of_measurement"] = feed.unit
    return component
