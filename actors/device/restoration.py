"""Restores the leases and pending alarms of an earlier leader from the store.

    restoration = Restoration(store, clock, leases)
    await restoration.run()        # call it again after a failure: it continues where it stopped

There is one for each time that this process takes the lead.
"""

import structlog

from actors.device.leases import Leases
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.retry import Pauses, until_available
from protocol.device.alarms import PENDING, Alarm
from protocol.errors import Unavailable, in_words
from protocol.records import LoadedDevice
from protocol.times import SECOND_US

log = structlog.get_logger("roost.restoration")

RETRY_S = 1.0
# Some 2 MB at once, and a few milliseconds of the event loop.
ALARMS_AT_ONCE = 2_000


class Restoration:
    """Keeps its position, so that the next `run` continues after a failure."""

    def __init__(self, store: Store, clock: WallClock, leases: Leases) -> None:
        self._store = store
        self._clock = clock
        self._leases = leases
        self._has_leases = False
        self._after: int | None = 0  # number of the last alarm; None: no more

    async def run(self) -> None:
        """Restore everything, however often the store is unavailable meanwhile."""
        await until_available(self._go_on, Pauses(RETRY_S), _waits)

    async def _go_on(self) -> None:
        if not self._has_leases:
            await self._store.session_memory("")  # the last leader's commits have ended
            self._leases.restore(await self._store.online_devices())
            self._has_leases = True
        while self._after is not None:
            page = await self._store.pending_alarms(ALARMS_AT_ONCE, self._after)
            for key, alarm, after_s in page.alarms:
                _wait(self._leases, key, alarm, after_s, self._clock.now_us())
            self._after = page.after


def _waits(error: Unavailable) -> None:
    log.warning("leases are restored later", error=in_words(error))


def restore_waits(leases: Leases, loaded: LoadedDevice, now_us: int) -> None:
    """Restore the waiting times of one device's alarms, when its actor starts."""
    own = {feed.num: feed for feed in loaded.feeds}
    for alarm in loaded.alarms:
        if alarm.feed_num is None:
            continue
        feed = own.get(alarm.feed_num) or loaded.shared.of_num(alarm.feed_num)
        rule = None if feed is None else feed.alarm
        if alarm.state == PENDING and rule is not None and rule.after_s:
            _wait(leases, loaded.device.key, alarm, rule.after_s, now_us)


def _wait(leases: Leases, key: tuple[str, str], alarm: Alarm, after_s: float, now_us: int) -> None:
    if alarm.feed_num is not None:
        # The clock may have been set back: wait no longer than the whole time.
        waited_s = max(0, now_us - alarm.since_us) / SECOND_US
        leases.wait(key, alarm.feed_num, alarm.since_us, max(0.0, after_s - waited_s))
