"""A database that takes connections and says nothing: whatever waits for it has an end."""

import pytest
import trio

from actors.adapters.postgres.ingest import committing
from actors.adapters.postgres.store import open_store
from actors.adapters.postgres.wire import connections
from protocol.errors import Unavailable
from tests.contract.pg_scene import Scene

WITHIN_S = 0.5  # of the unit of work
# What else there may be: the answer to its cancellation, and some time on a busy machine.
MORE_S = connections.CANCEL_WITHIN_S + 1.0


@pytest.mark.parametrize("message", [1, 2, 3, 5, 8])
async def test_a_unit_of_work_ends_with_its_deadline_wherever_the_database_fell_silent(
    scene: Scene, message: int
) -> None:
    """In the middle of a transaction its ROLLBACK waited for ever, and with it the writer."""
    store = scene.store
    await store.commit(scene.batch(1))
    scene.proxy.before_message(message, scene.proxy.hang)
    began_s = trio.current_time()
    with pytest.raises(Unavailable, match="did not do it within"):
        await store._work(committing.commit, scene.batch(2), writing=True, within_s=WITHIN_S)
    assert trio.current_time() - began_s < WITHIN_S + MORE_S
    assert scene.proxy.reached
    scene.proxy.goes_on()
    before = (await scene.counts())[0]
    await store.commit(scene.batch(3))
    assert (await scene.counts())[0] == before + 1


async def test_a_cancelled_unit_of_work_ends_too(scene: Scene) -> None:
    await scene.store.commit(scene.batch(1))
    scene.proxy.before_message(3, scene.proxy.hang)
    began_s = trio.current_time()
    with trio.move_on_after(WITHIN_S), pytest.raises(Unavailable):
        await scene.store.commit(scene.batch(2))
    assert trio.current_time() - began_s < WITHIN_S + MORE_S
    scene.proxy.goes_on()


async def test_all_connections_are_closed_side_by_side(scene: Scene) -> None:
    """Pool after pool took two seconds each."""
    async with open_store(scene.proxy.url) as store:
        await store.commit(scene.batch())
        await store.ping()
        await store.hold_lead("one", 3.0)
        scene.proxy.hang()
        began_s = trio.current_time()
    assert store.hung
    assert trio.current_time() - began_s < connections.CLOSE_TIMEOUT_S + 0.5
    scene.proxy.goes_on()


async def test_connections_to_a_database_that_answers_are_closed_at_once(scene: Scene) -> None:
    async with open_store(scene.proxy.url) as store:
        await store.commit(scene.batch())
        await store.hold_lead("one", 3.0)
        began_s = trio.current_time()
    assert not store.hung
    assert trio.current_time() - began_s < connections.CLOSE_TIMEOUT_S
