"""The options that say how much of everything anybody may have."""

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
    """As they were given; `bounds` checks them."""

    devices_of_user: Annotated[int, Parameter(help="How many devices one user may have.")] = (
        DEVICES_MAX
    )
    feeds_of_user: Annotated[int, Parameter(help="How many feeds one user may have.")] = FEEDS_MAX
    feeds_of_device: Annotated[
        int,
        Parameter(help="How many feeds one device may have, and how many all devices may share."),
    ] = FEEDS_OF_DEVICE_MAX
    schedules_of_user: Annotated[
        int, Parameter(help="How many media schedules one user may have.")
    ] = SCHEDULES_MAX
    webhooks_of_user: Annotated[int, Parameter(help="How many webhooks one user may have.")] = (
        WEBHOOKS_MAX
    )
    dashboards_of_user: Annotated[
        int, Parameter(help="How many dashboards (sockets) of one user may be open at once.")
    ] = DASHBOARDS_MAX
    http_connections: Annotated[
        int, Parameter(help="How many HTTP connections there may be, of all.")
    ] = CONNECTIONS_MAX
    http_connections_of_address: Annotated[
        int, Parameter(help="How many HTTP connections one address may have.")
    ] = OF_ADDRESS_MAX

    def bounds(self) -> Bounds:
        """Raises `SettingsError` for one below 1."""
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
