"""Topics and payloads that Roost publishes for a user's listeners (Node-RED, Home Assistant, …).

`live/U/devices/D/feeds/K` carries `{"value", "ts"}` of each accepted reading,
`live/U/devices/D/status` the state of the device (retained). A listener may subscribe below
`live/U/` and publish nothing.

With `home_assistant` there is also a retained discovery document for each device, below
`live/U/homeassistant`. Users set that as the discovery prefix of Home Assistant's MQTT integration,
because its default prefix would be shared by all users. For the format see home-assistant.io,
"MQTT", "Device discovery payload". The documents are bounded, because users decide how many feeds
there are, and a broker ends the connection of a client that sends too large a message.
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

# Per document. Three hundred usual components are 80 kB.
COMPONENTS_MAX = 300
COMPONENTS_BYTES_MAX = 128 * 1024
# Prefix of a user id in a notification of the store: an older state may have replaced a newer one.
AGAIN = "again "
# Likewise: devices or feeds of this user were added, changed or deleted.
SETTINGS = "settings "


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A user's read-only login, for any client id that begins with its user name."""

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
    """`password` is shown once. `mosquitto_bridge`: lines for the configuration of a Mosquitto that
    passes on what is published for this user; null if the broker's address is not known."""

    password: str
    mosquitto_bridge: str | None


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
    """The user id in any topic of this module."""
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
    """A discovery document, and how many feeds had no room in it."""

    payload: bytes
    left_out: int


def discovery(device: Device, feeds: Iterable[Feed], version: str) -> Document:
    """The discovery document of a device with its feeds, in order, as many as have room."""
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
        # A shared feed is a sensor of each device, so the feed's id would not be unique.
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
