"""Which of several processes serves the broker's sessions: one leads, the others stand by.

The lead is a lease in the store. Its holder renews it every second; a holder that ended or hangs is
replaced when its lease has run out. The epoch grows with every new holder, and commits carry it. So
a leader that was replaced commits nothing any more (`Fenced`), gives up what it took, and stands
by. Only the leader claims due work (`actors.due.scheduler`), because only its dashboards are told
the results.

A leader that receives nothing from the broker gives way to a process that is connected to it, if
there is one.
"""

from typing import Protocol

import structlog
import trio

from actors.ports.lead import Lead, LeadStore
from protocol.errors import Unavailable, in_words

log = structlog.get_logger("roost.leadership")

# A leader that ends or hangs is replaced within LEASES seconds and one look of a standby: below
# five seconds. A slow answer of the store costs two renewals before it costs the lead.
BEAT_S = 1.0
# For a process that cannot have a rival: it only keeps its lease from looking abandoned.
ALONE_BEAT_S = 10.0
LEASE_BEATS = 3.0
LOOK_BEATS = 0.5
RESIGN_WITHIN_S = 1.0
# A leader that gave way waits twice as long the next time, until a message arrives: if no process
# receives anything, the lead must not alternate.
PATIENCE_GROWTH, PATIENCE_MAX_GROWTH = 2, 32


class Follower(Protocol):
    """Is told about changes of the lead, and reports what this process receives."""

    def led(self, epoch: int, /) -> None:
        """This process leads from now on, under this epoch."""
        ...

    def resumed(self) -> None:
        """Its lease runs again. It had run out, and nobody else had it meanwhile."""
        ...

    async def give_up(self) -> None:
        """Another process has led, or leads: the state in memory is outdated."""
        ...

    def stood_by(self) -> None:
        """Another process serves from now on."""
        ...

    def brought(self) -> int:
        """How many messages the broker has delivered."""
        ...

    def reaches_broker(self) -> bool:
        """Whether the broker answers this process."""
        ...


class Leadership:
    """Usage: `nursery.start_soon(leadership.run, follower)`; `await leadership.wait_may_serve()`.

    Args:
        holder: a name that no other process has.
        patience_s: how long a leader may receive nothing from the broker before it gives way to a
            process that is ready.
        alone: no other process can exist; the lead is taken at once, whoever had it.
        beat_s: between two renewals.
    """

    def __init__(
        self,
        store: LeadStore,
        holder: str,
        *,
        patience_s: float,
        alone: bool = False,
        beat_s: float = BEAT_S,
    ) -> None:
        self.epoch = 0  # of its present or last lead; 0: none yet
        self.is_standby = False
        self.decided = trio.Event()  # set once it is known who leads
        self.stepped_down = 0
        self.gave_way = 0
        self.gives_up = False  # it was replaced, and has not finished giving up
        self._store = store
        self._holder = holder
        # How many messages had arrived then, and since when none arrived although they could.
        self._silence = 0, float("-inf")
        self._patience_s = self._patience_min_s = patience_s
        self._alone = alone
        self._beat_s = beat_s
        self._lease_s = LEASE_BEATS * beat_s
        self._confirmed_s = float("-inf")  # when the newest renewal was sent
        self._rival: Lead | None = None  # as of the last look
        self._refused_epoch = 0  # of the last refused commit
        self._changed = trio.Event()
        self._doubted = trio.Event()

    @property
    def leads(self) -> bool:
        """Whether this process leads, as far as it knows. While the store does not answer, the last
        leader continues: what it cannot commit it does not acknowledge."""
        return self.epoch > 0 and not self.is_standby

    @property
    def may_serve(self) -> bool:
        """Whether `wait_may_serve` would return at once."""
        if not self.leads:
            return False
        return self._alone or trio.current_time() - self._confirmed_s < self._lease_s

    async def wait_may_serve(self) -> None:
        """Wait until this process certainly leads: its lease runs.

        Otherwise a process that hung for a while could take the sessions from the next leader when
        it continues.
        """
        while not self.may_serve:
            await self._changed.wait()

    def doubt(self, epoch: int) -> None:
        """A commit was refused because of its epoch: check at once who leads. Its units are given
        up, so even if nobody else leads, this process starts again from the store."""
        self._refused_epoch = epoch
        self._doubted.set()

    async def run(self, follower: Follower) -> None:
        """Take the lead or stand by, for ever."""
        while True:
            self._doubted = trio.Event()
            asked_s = trio.current_time()
            pause_s = self._beat_s * LOOK_BEATS
            try:
                lead = await self._ask(follower)
            except Unavailable as error:
                log.debug("the lead cannot be asked for", error=in_words(error))
            else:
                if lead.is_ours:
                    await self._lead(lead, asked_s, follower)
                    pause_s = self._beat_s
                else:
                    await self._stand_by(lead, follower)
            with trio.move_on_after(pause_s):
                await self._doubted.wait()

    async def _ask(self, follower: Follower) -> Lead:
        """Who leads now; this process, if it can and should. Raises `Unavailable`."""
        lead = await self._store.hold_lead(
            self._holder,
            self._lease_s,
            seize=self._alone and not self.epoch,
            is_fit=follower.reaches_broker(),
        )
        is_the_same = lead.is_ours and lead.epoch == self.epoch
        if not (is_the_same and self._shall_give_way(lead, follower.brought())):
            return lead
        log.warning("gives way: the broker brings nothing to this process", epoch=lead.epoch)
        self.gave_way += 1
        longest_s = self._patience_min_s * PATIENCE_MAX_GROWTH
        self._patience_s = min(self._patience_s * PATIENCE_GROWTH, longest_s)
        await self._store.resign_lead(self._holder)
        return await self._store.hold_lead(self._holder, self._lease_s, is_fit=False)

    def _shall_give_way(self, lead: Lead, heard: int) -> bool:
        """Whether, for its whole patience, another process was ready and nothing arrived."""
        now_s = trio.current_time()
        if heard != self._silence[0]:
            self._patience_s = self._patience_min_s
        # After an outage of the store there is no canary yet, so their absence does not count.
        if heard != self._silence[0] or not lead.has_standby:
            self._silence = heard, now_s
        return now_s - self._silence[1] >= self._patience_s

    async def resign(self) -> None:
        """At the end: the next process need not wait for the lease. Takes a second at most.

        A process that is alone takes it at once anyway. A lease that ran out meanwhile, because the
        store does not answer, is not given back.
        """
        if self._alone or trio.current_time() - self._confirmed_s >= self._lease_s:
            return
        with trio.move_on_after(RESIGN_WITHIN_S):
            try:
                await self._store.resign_lead(self._holder)
            except Unavailable as error:
                log.debug("the lease runs out by itself", error=in_words(error))

    async def _lead(self, lead: Lead, asked_s: float, follower: Follower) -> None:
        if lead.epoch != self.epoch or self._refused_epoch == self.epoch:
            if self.leads:  # somebody else led for a short time
                self._overtaken(lead.epoch)
            await self._clean_up(follower)
            log.info("leads", epoch=lead.epoch)
            self.epoch, self.is_standby, self._refused_epoch = lead.epoch, False, 0
            self._silence = follower.brought(), trio.current_time()
            follower.led(lead.epoch)
        elif not self.may_serve:
            follower.resumed()
        self._confirmed_s = asked_s
        self._rival = None
        self.decided.set()
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def _stand_by(self, lead: Lead, follower: Follower) -> None:
        if self.leads:
            self._overtaken(lead.epoch)
        await self._clean_up(follower)
        follower.stood_by()
        # A lease alone proves little, because its holder may have been killed. A renewed one has a
        # living holder.
        rival, self._rival = self._rival, lead
        if rival is not None and rival.renewals != lead.renewals and not self.is_standby:
            self.is_standby = True
            self.decided.set()
            log.info("stands by: another process leads", epoch=lead.epoch)

    def _overtaken(self, epoch: int) -> None:
        log.warning("another process led: steps down", epoch=self.epoch, theirs=epoch)
        self.is_standby = self.gives_up = True
        self.stepped_down += 1

    async def _clean_up(self, follower: Follower) -> None:
        """Give up what belongs to an earlier lead; retry if that failed."""
        if self.gives_up:
            await follower.give_up()
            self.gives_up = False
