"""How many objects a user may have: settings, each with a generous default."""

import msgspec

from protocol.webhook.deliveries import WEBHOOKS_MAX
from web.http.connections import CONNECTIONS_MAX, OF_ADDRESS_MAX

DEVICES_MAX = 10_000
FEEDS_MAX = 100_000
# An actor starts with all feeds of its device, and is told of each change: a thousand take 10 ms.
FEEDS_OF_DEVICE_MAX = 1_000
SCHEDULES_MAX = 50_000


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Per user, except `connections` (in all) and `connections_of_address`.

    `feeds_of_device` limits the feeds of one device, and those that all devices of a user share.
    `dashboards` are open sockets.
    """

    devices: int = DEVICES_MAX
    feeds: int = FEEDS_MAX
    feeds_of_device: int = FEEDS_OF_DEVICE_MAX
    schedules: int = SCHEDULES_MAX
    webhooks: int = WEBHOOKS_MAX
    dashboards: int | None = None  # actors.user.registry.DASHBOARDS_MAX
    connections: int = CONNECTIONS_MAX
    connections_of_address: int = OF_ADDRESS_MAX
