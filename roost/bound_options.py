"""Options that limit how many objects users may have."""

from dataclasses import dataclass, fields
from typing import Annotated

from cyclopts import Parameter

from actors.user.registry import DASHBOARDS_MAX
from protocol.webhook.deliveries import WEBHOOKS_MAX
from roost.settings import check_count
from web.http.bounds import DEVICES_MAX, FEEDS_MAX, FEEDS_OF_DEVICE_MAX, SCHEDULES_MAX, Bounds
from web.http.connections import CONNECTIONS_MAX, OF_ADDRESS_MAX


@Parameter(name="*", group="Limits")
@dataclass(frozen=True, kw_only=True)
class BoundOptions:
    """The given values; `bounds` checks them."""

    devices_of_user: Annotated[int, Parameter(help="Maximum devices per user.")] = DEVICES_MAX
    feeds_of_user: Annotated[int, Parameter(help="Maximum feeds per user.")] = FEEDS_MAX
    feeds_of_device: Annotated[
        int,
        Parameter(help="Maximum feeds per device, and maximum shared feeds per user."),
    ] = FEEDS_OF_DEVICE_MAX
    schedules_of_user: Annotated[int, Parameter(help="Maximum media schedules per user.")] = (
        SCHEDULES_MAX
    )
    webhooks_of_user: Annotated[int, Parameter(help="Maximum webhooks per user.")] = WEBHOOKS_MAX
    dashboards_of_user: Annotated[
        int, Parameter(help="Maximum open dashboards (sockets) per user.")
    ] = DASHBOARDS_MAX
    http_connections: Annotated[int, Parameter(help="Maximum HTTP connections in all.")] = (
        CONNECTIONS_MAX
    )
    http_connections_of_address: Annotated[
        int, Parameter(help="Maximum HTTP connections per address.")
    ] = OF_ADDRESS_MAX

    def bounds(self) -> Bounds:
        """Raises `SettingsError` for a value below 1."""
        for field in fields(self):
            check_count(getattr(self, field.name), field.name.replace("_", " "))
        return Bounds(
            devices=self.devices_of_user,
            feeds=self.feeds_of_user,
            feeds_of_device=self.feeds_of_device,
            schedules=self.schedules_of_user,
            webhooks=self.webhooks_of_user,
            dashboards=self.dashboards_of_user,
            connections=self.http_connections,
            connections_of_address=self.http_connections_of_address,
        )
