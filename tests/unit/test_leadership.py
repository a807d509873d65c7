"""Who leads, who stands by, and that whoever waits to serve hears of it."""

import pytest
import trio

from actors.adapters.memory import ManualClock
from actors.adapters.memory_store import MemoryStore
from actors.adapters.memory_store_line import StoreFaults, StoreLine
from actors.leadership import TRY_AGAIN_S, Leadership
from tests.simulation.running import run_virtually

virtual = pytest.mark.trio(run=run_virtually)


class Candidate:
    """One process, as far as the lead goes."""

    def __init__(self, store: MemoryStore) -> None:
        self.epochs: list[int] = []
        self.overtaken = 0
        self.served = 0
        self.faults = StoreFaults()
        self.line = StoreLine(store, self.faults)
        self.leadership = Leadership(self.line, self.epochs.append, self._overtaken)

    async def _overtaken(self) -> None:
        self.overtaken += 1

    async def serve(self) -> None:
        """As the broker's sessions do: they ask before it is known who leads."""
        await self.leadership.wait_may_serve()
        self.served += 1


@virtual
async def test_who_stands_by_from_the_start_serves_when_the_leader_is_gone() -> None:
    store = MemoryStore(ManualClock())
    one, other = Candidate(store), Candidate(store)
    async with trio.open_nursery() as nursery:
        first = trio.CancelScope()

        async def lead() -> None:
            with first:
                await one.leadership.run()

        nursery.start_soon(lead)
        await one.serve()
        nursery.start_soon(other.serve)
        nursery.start_soon(other.leadership.run)
        await other.leadership.decided.wait()
        await trio.sleep(10 * TRY_AGAIN_S)
        assert other.leadership.is_standby
        assert (one.served, other.served) == (1, 0)

        first.cancel()
        one.line.lose_lead()
        await trio.sleep(2 * TRY_AGAIN_S)
        assert not other.leadership.is_standby
        assert other.served == 1
        assert (one.epochs, other.epochs, other.overtaken) == ([1], [2], 0)
        nursery.cancel_scope.cancel()


@virtual
async def test_who_lost_the_lead_to_another_waits_and_forgets_before_it_leads_again() -> None:
    store = MemoryStore(ManualClock())
    one = Candidate(store)

    def held() -> None:
        """The connection of another process."""

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.leadership.run)
        await one.serve()
        one.faults.away = True
        one.line.lose_lead()
        assert await store.lead(held) == 2
        one.faults.away = False
        await trio.sleep(2 * TRY_AGAIN_S)
        assert one.leadership.is_standby
        nursery.start_soon(one.serve)
        await trio.sleep(2 * TRY_AGAIN_S)
        assert one.served == 1
        store.unlead(held)
        await trio.sleep(2 * TRY_AGAIN_S)
        assert (one.epochs, one.overtaken, one.served) == ([1, 3], 1, 2)
        nursery.cancel_scope.cancel()
