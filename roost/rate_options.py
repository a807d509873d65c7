"""Options that limit how fast devices may send, the same for `roost up` and `roost serve`."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from actors.ingest.rates import RateSettings
from protocol.errors import SettingsError

DEFAULT = RateSettings()
PER_S_MIN, PER_S_MAX = 0.1, 1e6
BURST_MAX = 1e9
RETRY_MAX_S = 86_400.0


@Parameter(name="*", group="Limits")
@dataclass(frozen=True, kw_only=True)
class RateOptions:
    """The given values; `settings` checks them."""

    device_messages_per_s: Annotated[
        float,
        Parameter(
            help="Maximum messages a second of a device. Ten times as many (5,000 at most) for five"
            " seconds disconnect it."
        ),
    ] = DEFAULT.device_per_s
    device_messages_burst: Annotated[
        float, Parameter(help="Maximum burst of messages of a device.")
    ] = DEFAULT.device_burst
    user_messages_per_s: Annotated[
        float, Parameter(help="Maximum messages a second of all devices of a user.")
    ] = DEFAULT.user_per_s
    user_messages_burst: Annotated[
        float, Parameter(help="Maximum burst of messages of all devices of a user.")
    ] = DEFAULT.user_burst
    flood_retry_after_s: Annotated[
        float,
        Parameter(help="Seconds for which a device is locked out after such a disconnection."),
    ] = DEFAULT.retry_after_s

    def settings(self) -> RateSettings:
        """Raises `SettingsError`."""
        _check(self.device_messages_per_s, "device messages per s", PER_S_MIN, PER_S_MAX)
        _check(self.device_messages_burst, "device messages burst", 1, BURST_MAX)
        _check(self.user_messages_per_s, "user messages per s", PER_S_MIN, PER_S_MAX)
        _check(self.user_messages_burst, "user messages burst", 1, BURST_MAX)
        _check(self.flood_retry_after_s, "flood retry after s", 1, RETRY_MAX_S)
        return RateSettings(
            device_per_s=self.device_messages_per_s,
            device_burst=self.device_messages_burst,
            user_per_s=self.user_messages_per_s,
            user_burst=self.user_messages_burst,
            retry_after_s=self.flood_retry_after_s,
        )


def _check(number: float, what: str, least: float, most: float) -> None:
    if not least <= number <= most:
        raise SettingsError(f"{what}: {number:g} is not between {least:g} and {most:g}")
