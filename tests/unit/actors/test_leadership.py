"""Who leads, who stands by, what is given up, and that whoever waits to serve hears of it."""

from collections.abc import Callable

import pytest
import trio

from actors.adapters.memory.clocks import ManualClock
from actors.adapters.memory.store.line import StoreFaults, StoreLine
from actors.adapters.memory.store.store import MemoryStore
from actors.leadership import BEAT_S, LEASE_BEATS, PATIENCE_MAX_GROWTH, Leadership
from actors.ports.lead import Lead
from protocol.errors import Unavailable
from tests.simulation.running import run_virtually

virtual = pytest.mark.trio(run=run_virtually)
LEASE_S = LEASE_BEATS * BEAT_S
# From the end or the hang of a leader until the next one leads.
REPLACED_WITHIN_S = 5.0
PATIENCE_S = 15.0


class Candidate:
    """One process, as far as the lead goes. `hang` is a SIGSTOP: nothing in it runs."""

    def __init__(self, store: MemoryStore, name: str, *, alone: bool = False) -> None:
        self.epochs: list[int] = []
        self.given_up = 0
        self.times_resumed = 0
        self.times_stood_by = 0
        self.served = 0
        self.is_near = True
        self.cut_off_s = float("inf")  # since when nothing is heard any more
        self.faults = StoreFaults()
        self.fails = 0
        self._goes_on = trio.Event()
        self._goes_on.set()
        self._line = StoreLine(store, self.faults)
        self.leadership = Leadership(
            self,
            name,
            patience_s=PATIENCE_S,
            alone=alone,
        )

    async def run(self) -> None:
        await self.leadership.run(self)

    def led(self, epoch: int) -> None:
        self.epochs.append(epoch)

    def stood_by(self) -> None:
        self.times_stood_by += 1

    def resumed(self) -> None:
        self.times_resumed += 1

    def brought(self) -> int:
        return int(min(trio.current_time(), self.cut_off_s))

    def reaches_broker(self) -> bool:
        return self.is_near

    async def give_up(self) -> None:
        self.given_up += 1
        if self.fails:
            self.fails -= 1
            raise RuntimeError("a mistake of ours")

    def cut_off(self) -> None:
        """The broker does not answer this process."""
        self.is_near, self.cut_off_s = False, trio.current_time()

    async def hold_lead(self, holder: str, lease_s: float, **how: bool) -> Lead:
        await self._goes_on.wait()
        lead: Lead = await self._line.hold_lead(holder, lease_s, **how)
        await self._goes_on.wait()
        return lead

    async def resign_lead(self, holder: str) -> None:
        await self._line.resign_lead(holder)

    def hang(self) -> Callable[[], None]:
        """Answers with how it goes on."""
        self._goes_on = trio.Event()
        return self._goes_on.set

    async def serve(self) -> None:
        """As the broker's sessions do: they ask before it is known who leads."""
        await self.leadership.wait_may_serve()
        self.served += 1


@virtual
async def test_the_only_process_keeps_its_epoch_through_an_outage_of_the_store() -> None:
    """With a lock that ended with its connection it took its own lead for another's."""
    one = Candidate(MemoryStore(ManualClock()), "one")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.run)
        await one.serve()
        one.faults.away = True
        await trio.sleep(60)
        assert one.leadership.leads
        assert not one.leadership.may_serve  # nobody can know
        one.faults.away = False
        await one.serve()
        assert (one.epochs, one.given_up) == ([1], 0)
        nursery.cancel_scope.cancel()


@virtual
async def test_a_lost_answer_costs_neither_the_lead_nor_an_epoch() -> None:
    store = MemoryStore(ManualClock())
    one = Candidate(store, "one")

    async def unanswered(holder: str, lease_s: float, **how: bool) -> Lead:
        await store.hold_lead(holder, lease_s, **how)
        raise Unavailable("the answer was lost")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one, "hold_lead", unanswered)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.run)
            await trio.sleep(3)
            assert not one.leadership.leads
            patch.undo()
            await one.serve()
            assert (one.epochs, one.given_up) == ([1], 0)
            nursery.cancel_scope.cancel()


@virtual
async def test_a_leader_that_ended_is_replaced_and_one_that_resigned_at_once() -> None:
    store = MemoryStore(ManualClock())
    one, other = Candidate(store, "one"), Candidate(store, "other")
    async with trio.open_nursery() as nursery:
        first = trio.CancelScope()

        async def lead() -> None:
            with first:
                await one.run()

        nursery.start_soon(lead)
        await one.serve()
        nursery.start_soon(other.serve)
        nursery.start_soon(other.run)
        await other.leadership.decided.wait()
        assert other.leadership.is_standby
        await trio.sleep(10 * LEASE_S)
        assert (one.served, other.served) == (1, 0)

        first.cancel()
        with trio.fail_after(REPLACED_WITHIN_S):
            await other.serve()
        assert not other.leadership.is_standby
        assert (one.epochs, other.epochs, other.given_up) == ([1], [2], 0)
        await other.leadership.resign()
        assert (await store.hold_lead("third", 1.0)).is_ours
        nursery.cancel_scope.cancel()


@virtual
async def test_a_leader_that_hangs_is_replaced_and_serves_nothing_when_it_goes_on() -> None:
    """It hung for thirty seconds while the kernel kept its connection, and nobody took over."""
    store = MemoryStore(ManualClock())
    one, other = Candidate(store, "one"), Candidate(store, "other")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.run)
        await one.serve()
        nursery.start_soon(other.run)
        await other.leadership.decided.wait()
        go_on = one.hang()
        with trio.fail_after(REPLACED_WITHIN_S):
            await other.serve()
        # It does not know yet, but would not connect a session without asking.
        assert one.leadership.leads
        assert not one.leadership.may_serve
        go_on()
        await trio.sleep(2 * BEAT_S)
        assert one.leadership.is_standby
        assert one.given_up == 1
        assert other.leadership.leads
        nursery.cancel_scope.cancel()


@virtual
async def test_a_lease_that_ran_out_and_nobody_had_meanwhile_is_resumed() -> None:
    """What was not said while another one might have led is said then."""
    one = Candidate(MemoryStore(ManualClock()), "one")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.run)
        await one.leadership.decided.wait()
        one.faults.away = True
        await trio.sleep(LEASE_BEATS * BEAT_S + 1)
        assert not one.leadership.may_serve
        one.faults.away = False
        await trio.sleep(BEAT_S)
        assert (one.epochs, one.times_resumed, one.leadership.may_serve) == ([1], 1, True)
        nursery.cancel_scope.cancel()


@virtual
async def test_one_whose_lease_others_had_for_a_moment_gives_up_before_it_leads_again() -> None:
    store = MemoryStore(ManualClock())
    one = Candidate(store, "one")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.run)
        await one.serve()
        await store.hold_lead("short", 1.0, seize=True)
        await store.resign_lead("short")
        one.leadership.doubt(1)  # a commit was refused
        await trio.lowlevel.checkpoint()
        await one.serve()
        await trio.sleep(0.1)
        assert (one.epochs, one.given_up) == ([1, 3], 1)
        nursery.cancel_scope.cancel()


@virtual
async def test_one_whose_commit_was_refused_though_nobody_else_led_gives_up_once() -> None:
    """What was to be stored is given up, so its messages must be fetched again: receipts were
    forgotten on connections that stayed, and waited at the broker for the next restart."""
    store = MemoryStore(ManualClock())
    one = Candidate(store, "one")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.run)
        await one.serve()
        one.leadership.doubt(1)
        await trio.sleep(5 * BEAT_S)
        assert (one.epochs, one.given_up, one.leadership.may_serve) == ([1, 1], 1, True)
        one.leadership.doubt(0)  # of an earlier lead: that was given up already
        await trio.sleep(5 * BEAT_S)
        assert one.given_up == 1
        nursery.cancel_scope.cancel()


@virtual
async def test_what_could_not_be_given_up_is_given_up_before_anything_else() -> None:
    store = MemoryStore(ManualClock())
    one = Candidate(store, "one")
    async with trio.open_nursery() as nursery:

        async def restarted() -> None:
            with pytest.raises(RuntimeError):
                await one.run()
            await one.run()

        nursery.start_soon(restarted)
        await one.serve()
        one.fails = 1
        await store.hold_lead("short", 1.0, seize=True)
        await trio.sleep(5)
        assert (one.epochs, one.given_up) == ([1, 3], 2)
        nursery.cancel_scope.cancel()


@virtual
async def test_a_process_that_is_alone_takes_the_lead_of_one_that_was_killed_at_once() -> None:
    store = MemoryStore(ManualClock())
    await store.hold_lead("killed", 3600.0)
    one = Candidate(store, "one", alone=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.run)
        with trio.fail_after(0.1):
            await one.serve()
        # It waits for no store that is away: nobody else can be there.
        one.faults.away = True
        await trio.sleep(60)
        assert one.leadership.may_serve
        nursery.cancel_scope.cancel()


@virtual
async def test_a_lease_that_nobody_renews_is_no_standby() -> None:
    """After a kill the next process waits for the lease, and does not say that it stands by."""
    store = MemoryStore(ManualClock())
    await store.hold_lead("killed", LEASE_S)
    one = Candidate(store, "one")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.run)
        await one.leadership.decided.wait()
        assert one.leadership.leads
        assert trio.current_time() >= LEASE_S
        nursery.cancel_scope.cancel()


@virtual
async def test_a_leader_that_the_broker_does_not_answer_gives_way_to_one_that_it_answers() -> None:
    store = MemoryStore(ManualClock())
    one, other = Candidate(store, "one"), Candidate(store, "other")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.run)
        await one.serve()
        nursery.start_soon(other.run)
        await trio.sleep(LEASE_S)
        one.cut_off()
        with trio.fail_after(PATIENCE_S + REPLACED_WITHIN_S):
            await other.serve()
        assert one.leadership.is_standby and not one.leadership.leads
        assert (one.given_up, one.leadership.gave_way) == (1, 1)
        # It leaves a lead that is free to the other one, and takes it where that one is gone.
        await other.leadership.resign()
        await trio.sleep(60)
        assert (one.leadership.leads, other.leadership.leads) == (False, True)
        other.hang()
        with trio.fail_after(REPLACED_WITHIN_S):
            await one.serve()
        nursery.cancel_scope.cancel()


@virtual
async def test_where_nobody_else_could_serve_a_silent_leader_goes_on() -> None:
    store = MemoryStore(ManualClock())
    one, other = Candidate(store, "one"), Candidate(store, "other")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.run)
        await one.serve()
        one.cut_off()
        await trio.sleep(600)  # alone
        other.cut_off()
        nursery.start_soon(other.run)
        await trio.sleep(600)
        assert (one.leadership.leads, one.epochs, one.leadership.gave_way) == (True, [1], 0)
        nursery.cancel_scope.cancel()


@virtual
async def test_where_nothing_comes_through_anywhere_the_lead_goes_ever_more_rarely() -> None:
    """Both reach a broker that keeps everything to itself."""
    store = MemoryStore(ManualClock())
    both = [Candidate(store, "one"), Candidate(store, "other")]
    async with trio.open_nursery() as nursery:
        for each in both:
            each.cut_off()
            each.is_near = True
            nursery.start_soon(each.run)
        await trio.sleep(3600)
        changes = sum(each.leadership.gave_way for each in both)
        # Each has had 15 + 30 + 60 + 120 + 240 s of it and more, in turns.
        assert 8 < changes < 20
        for each in both:  # it comes through again
            each.cut_off_s = float("inf")
        await trio.sleep(PATIENCE_S * PATIENCE_MAX_GROWTH)
        leader = next(each for each in both if each.leadership.leads)
        before = leader.leadership.gave_way
        leader.cut_off()
        await trio.sleep(PATIENCE_S + REPLACED_WITHIN_S)
        assert (leader.leadership.leads, leader.leadership.gave_way) == (False, before + 1)
        nursery.cancel_scope.cancel()


@virtual
async def test_the_silence_of_an_outage_of_the_store_is_no_reason_to_give_way() -> None:
    """Nothing is acknowledged meanwhile, so nothing more comes."""
    store = MemoryStore(ManualClock())
    one, other = Candidate(store, "one"), Candidate(store, "other")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.run)
        await one.serve()
        nursery.start_soon(other.run)
        await trio.sleep(LEASE_S)
        one.cut_off_s = other.cut_off_s = trio.current_time()
        await trio.sleep(2 * BEAT_S)  # it has looked, and heard the last
        one.faults.away = other.faults.away = True
        await trio.sleep(4 * PATIENCE_S)
        one.faults.away = False
        await trio.sleep(BEAT_S)
        other.faults.away = False
        await trio.sleep(PATIENCE_S - 2 * BEAT_S)
        assert (one.leadership.leads, one.leadership.gave_way) == (True, 0)
        nursery.cancel_scope.cancel()
