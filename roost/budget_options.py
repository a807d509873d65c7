"""Options that limit refused and retained messages, the same for `roost up` and `roost serve`."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from actors.ingest.refusal_budget import (
    DEVICE_BYTES_PER_HOUR,
    DEVICE_PER_HOUR,
    KEPT_BYTES_MAX,
    KEPT_MAX,
    USER_BYTES_PER_HOUR,
    USER_PER_HOUR,
    RefusalLimits,
)
from actors.ingest.retained_rules import Bounds
from roost.settings import check_bytes, check_count

RETAINED = Bounds()
RETAINED_MAX, RETAINED_BYTES_MAX = 10_000, 16 << 20


@Parameter(name="*", group="Limits")
@dataclass(frozen=True, kw_only=True)
class BudgetOptions:
    """The given values; `refusals` and `retained` check them."""

    device_refusals_per_hour: Annotated[
        int, Parameter(help="Refused messages of a device to keep per hour; the rest is counted.")
    ] = DEVICE_PER_HOUR
    device_refusal_bytes_per_hour: Annotated[
        int, Parameter(help="Bytes of a device's refused messages to keep per hour.")
    ] = DEVICE_BYTES_PER_HOUR
    user_refusals_per_hour: Annotated[
        int, Parameter(help="Refused messages of all devices of a user to keep per hour.")
    ] = USER_PER_HOUR
    user_refusal_bytes_per_hour: Annotated[
        int, Parameter(help="Bytes of refused messages of all devices of a user to keep per hour.")
    ] = USER_BYTES_PER_HOUR
    refusals_kept: Annotated[
        int, Parameter(help="Refused messages of a user to keep in all, the newest.")
    ] = KEPT_MAX
    refusal_bytes_kept: Annotated[
        int, Parameter(help="Bytes of a user's refused messages to keep in all.")
    ] = KEPT_BYTES_MAX

    retained_max: Annotated[
        int, Parameter(help="Maximum messages of a device that stay retained at the broker.")
    ] = RETAINED.topics
    retained_bytes_max: Annotated[
        int, Parameter(help="Maximum size of these together, in bytes; each has 64 KiB at most.")
    ] = RETAINED.device_bytes

    def retained(self) -> Bounds:
        """Raises `SettingsError`."""
        many = check_count(self.retained_max, "retained max", most=RETAINED_MAX)
        size = check_count(self.retained_bytes_max, "retained bytes max", most=RETAINED_BYTES_MAX)
        return Bounds(topics=many, device_bytes=size)

    def refusals(self) -> RefusalLimits:
        """Raises `SettingsError`."""
        return RefusalLimits(
            device_per_hour=check_count(self.device_refusals_per_hour, "device refusals per hour"),
            device_bytes_per_hour=check_bytes(
                self.device_refusal_bytes_per_hour, "device refusal bytes per hour"
            ),
            user_per_hour=check_count(self.user_refusals_per_hour, "user refusals per hour"),
            user_bytes_per_hour=check_bytes(
                self.user_refusal_bytes_per_hour, "user refusal bytes per hour"
            ),
            kept_max=check_count(self.refusals_kept, "refusals kept"),
            kept_bytes_max=check_bytes(self.refusal_bytes_kept, "refusal bytes kept"),
        )
