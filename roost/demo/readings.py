"""What the demo's devices measure at any time: pure, and the same for the same beginning.

readings = Readings(place, began_us)
readings.at(sensor, now_us)   # a number; `is_silent` says whether the device tells it
for message in readings.history(sensors, since_us, until_us): ...   # bodies for `feeds`
"""

import math
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from protocol.times import SECOND_US
from roost.demo.business import DAYS, EPISODES, HOURS, ZONE_HOURS, Episode, Place, Sensor

SEED = "song-han"
STEP_US = 600 * SECOND_US
# The last day is denser, so that its chart is no flat line beside what comes live.
DAY_US = 24 * 3_600 * SECOND_US
DAY_STEP_US = 60 * SECOND_US
HISTORY_US = 30 * round(DAYS) * SECOND_US
# Of a message of the history: far below the 500 readings and 64 KiB that one may have.
TIMES_MAX = 240
# One reading in so many was lost on its way.
LOST = 120
RAMP_S = 1_200.0  # how long an episode takes to be felt, and to be over


class Readings:
    """Args:
    began_us: when the demo began; `EPISODES` count from there.
    """

    def __init__(self, place: Place, began_us: int) -> None:
        self._place = place
        self._began_us = began_us
        self._episodes = [each for each in EPISODES if each.code == place.code]

    def is_silent(self, at_us: int) -> bool:
        """Whether the device had no power, or no line."""
        ago_s = self._ago_s(at_us)
        return any(not each.rise and _holds(each, ago_s) for each in self._episodes)

    def at(self, sensor: Sensor, at_us: int) -> float:
        """Its value then."""
        name = f"{SEED}/{self._place.code}/{sensor.key}"
        at_s = at_us / SECOND_US
        hour = at_s / HOURS + ZONE_HOURS
        day = math.sin((hour - 9) / 24 * 2 * math.pi)
        phase = _chance(name) * 2 * math.pi
        weeks = math.sin(at_s / (5.3 * DAYS) * 2 * math.pi + phase)
        gusts = math.sin(at_s / (2.1 * HOURS) * 2 * math.pi + phase)
        noise = _chance(f"{name}/{at_us // SECOND_US}") + _chance(f"{at_us // SECOND_US}/{name}")
        value = sensor.middle + sensor.swing * (day + 0.35 * weeks)
        value += sensor.noise * (noise - 1 + 0.6 * gusts)
        value += sum(_felt(e, self._ago_s(at_us)) for e in self._episodes if e.key == sensor.key)
        if sensor.unit in ("%", "kW"):
            value = max(0.0, value)
        return round(min(100.0, value) if sensor.unit == "%" else value, sensor.decimals)

    def history(
        self, sensors: Sequence[Sensor], since_us: int, until_us: int, step_us: int = STEP_US
    ) -> Iterator[list[dict[str, Any]]]:
        """One each step from `since_us` to before `until_us`, oldest first, with its gaps."""
        entries: list[dict[str, Any]] = []
        for at_us in range(-(-since_us // step_us) * step_us, until_us, step_us):
            lost = _chance(f"{SEED}/{self._place.code}/{at_us}") * LOST < 1
            if lost or self.is_silent(at_us):
                continue
            values = {sensor.key: self.at(sensor, at_us) for sensor in sensors}
            entries.append({"ts": at_us, "values": values})
            if len(entries) == TIMES_MAX:
                yield entries
                entries = []
        if entries:
            yield entries

    def _ago_s(self, at_us: int) -> float:
        return (self._began_us - at_us) / SECOND_US


def _holds(episode: Episode, ago_s: float) -> bool:
    return ago_s <= episode.since_s and (episode.until_s < 0 or ago_s > episode.until_s)


def _felt(episode: Episode, ago_s: float) -> float:
    """How much of an episode is felt: it comes and goes over some time."""
    came = (episode.since_s - ago_s) / RAMP_S
    left = 1.0 if episode.until_s < 0 else (ago_s - episode.until_s) / RAMP_S
    return episode.rise * min(1.0, max(0.0, min(came, left)))


def _chance(name: str) -> float:
    """From 0 to below 1, the same for the same name."""
    return zlib.crc32(name.encode()) / 2**32
