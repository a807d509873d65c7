"""Devices that sent far more than they may: they are disconnected and locked out for a while.

    floods = Floods(store, logins, clock, retry_after_s=60.0, told=…)
    nursery.start_soon(floods.run)
    floods.began(("ada's id", "shed"), 12_000.0)
    floods.of(("ada's id", "shed"))      # what the device's page shows

With an external broker (`roost serve`) no device can be disconnected. Messages above the rate are
then refused, and the page shows the flood nevertheless.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import structlog
import trio

from actors.ingest.rates import Key
from actors.ports.logins import Logins
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.isolation import Failed, attempt
from actors.runtime.sampled import Sampled
from protocol.errors import in_words
from protocol.records import Flood
from protocol.times import SECOND_US

log = structlog.get_logger("roost.floods")

# Floods that pages show, until the process ends. Beyond it the oldest are forgotten.
KEPT_MAX = 10_000
TOGETHER_MAX = 64
AGAIN_S = 1.0
TRIES_MAX = 5


class Floods:
    """Args:
    retry_after_s: how long the device is locked out.
    told: called with the user of such a device, so that the dashboards read it again.
    """

    def __init__(
        self,
        store: Store,
        logins: Logins,
        clock: WallClock,
        *,
        retry_after_s: float,
        told: Callable[[str], None],
    ) -> None:
        self.total = 0
        self._store = store
        self._logins = logins
        self._clock = clock
        self._retry_after_s = retry_after_s
        self._told = told
        self._kept: OrderedDict[Key, Flood] = OrderedDict()
        self._waiting: OrderedDict[Key, float] = OrderedDict()  # to be shut out until then
        self._came = trio.Event()
        self._logged = Sampled()

    def of(self, device: Key) -> Flood | None:
        """Its last flood since this process started."""
        return self._kept.get(device)

    def began(self, device: Key, per_s: float) -> None:
        """The device sends this many messages a second."""
        self.total += 1
        now_us = self._clock.now_us()
        until_us = now_us + round(self._retry_after_s * SECOND_US)
        self._kept.pop(device, None)
        self._kept[device] = Flood(at_us=now_us, until_us=until_us, messages_per_s=round(per_s))
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        self._waiting[device] = trio.current_time() + self._retry_after_s
        if len(self._waiting) > KEPT_MAX:
            self._waiting.popitem(last=False)
        self._came.set()
        user_id, code = device
        if times := self._logged.times():
            many = round(per_s)
            log.warning("device floods", user=user_id, device=code, per_s=many, times=times)
        self._told(user_id)

    async def run(self) -> None:
        """Shut out devices for ever."""
        while True:
            if not self._waiting:
                self._came = trio.Event()
                await self._came.wait()
            async with trio.open_nursery() as nursery:
                for _ in range(min(TOGETHER_MAX, len(self._waiting))):
                    nursery.start_soon(self._shut_out, *self._waiting.popitem(last=False))

    async def _shut_out(self, device: Key, until_s: float) -> None:
        for _ in range(TRIES_MAX):
            for_s = until_s - trio.current_time()
            if for_s <= 0:
                return
            done = await attempt(partial(self._try, device, for_s))
            if not isinstance(done, Failed):
                return
            log.warning("device not shut out yet", device=device[1], error=in_words(done.error))
            await trio.sleep(AGAIN_S)

    async def _try(self, device: Key, for_s: float) -> None:
        (loaded,) = await self._store.load_devices([device])
        if loaded is not None:
            await self._logins.shut_out(loaded.device.client_id, for_s)
