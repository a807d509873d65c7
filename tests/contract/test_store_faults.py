"""What PostgreSQL does, and what the store makes of it, when connections are lost around a commit.

The memory twin models these facts for the simulation; here they are shown on the real thing.
"""

import os
import signal
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest
import trio

from actors.adapters.asyncio_bridge import open_bridge
from actors.adapters.postgres.store import READING_CONNECTIONS, open_store
from actors.ports.store import Batch
from protocol.records import Taken
from tests.conftest import Logs
from tests.contract.pg_scene import SESSION, WAIT_S, Call, Scene, attempt, open_scene, until
from tests.contract.test_store import of

NOTHING = (0, 0, 0, 0, 0)


@pytest.fixture(params=["one statement", "a transaction"])
async def scene(request: pytest.FixtureRequest, url: str) -> AsyncIterator[Scene]:
    """What a batch has is one statement, which commits by itself, or more."""
    async with open_scene(url) as scene:
        scene.has_more = request.param == "a transaction"
        yield scene


def begins_with_its_claim(scene: Scene) -> None:
    if not scene.has_more:
        pytest.skip("there is no moment between its first statement and its COMMIT")


async def test_the_proxy_knows_a_commit_in_either_protocol(scene: Scene) -> None:
    async def work(method: str) -> None:
        connection = await asyncpg.connect(scene.proxy.url)
        await connection.execute("BEGIN")
        await connection.execute("DELETE FROM users")
        await getattr(connection, method)("commit ;")

    async with open_bridge("proxied") as bridge:
        for method in ("execute", "fetch"):
            scene.proxy.cut_before_commit()
            with pytest.raises(asyncpg.ConnectionDoesNotExistError):
                await bridge.run(work, method)
    assert await scene.fetch("SELECT count(*) FROM users") == [(2,)]


async def test_what_is_cut_off_before_its_commit_is_stored_in_no_part(scene: Scene) -> None:
    batch = scene.batch()
    scene.proxy.cut_before_commit()
    assert (await attempt(scene.store.commit, batch)).failed
    assert await scene.counts() == NOTHING
    done = await scene.store.commit(batch)
    assert list(done.duplicates) == [1, 0]
    assert await scene.counts() == scene.once


async def test_a_commit_whose_answer_was_lost_is_done_once_and_answers_the_same(
    scene: Scene,
) -> None:
    batch = scene.batch()
    scene.proxy.cut_after_commit()
    assert (await attempt(scene.store.commit, batch)).failed
    assert await scene.counts() == scene.once
    ((no, duplicates),) = await scene.fetch("SELECT no, duplicates FROM commits")
    for _ in range(2):
        again = await scene.store.commit(batch)
        assert (again.no, list(again.duplicates)) == (no, duplicates) == (no, [1, 0])
    assert await scene.counts() == scene.once


async def lost_at(scene: Scene, n: int, how: str, batch: Batch) -> bool:
    """Lose a commit at the n-th message of a new connection; False where it has fewer."""
    while True:
        scope = trio.CancelScope()

        def lose(scope: trio.CancelScope = scope) -> None:
            if how != "cut":
                scope.cancel()
            if how != "cancelled":
                scene.proxy.cut_everything()

        scene.proxy.cut_everything()
        scene.proxy.before_message(n, lose)
        with scope:
            call = await attempt(scene.store.commit, batch)
        if scene.proxy.reached:
            return True
        if not call.failed:
            return False
        # The pool had not seen yet that its connection was cut. Now it has.


@pytest.mark.parametrize("how", ["cut", "cancelled", "both"])
async def test_a_commit_may_be_lost_at_any_of_its_messages(
    scene: Scene, how: str, logs: Logs
) -> None:
    """The writer has one connection, so a place lost in the pool would be seen at once."""
    # asyncpg shields the return of a connection to its pool: nobody hears when that fails.
    logs.claim("asyncio failure")
    # Statements are three messages or six, some forty in all, or four: these steps see every kind.
    n, lost, step = 1, 0, 4 if scene.has_more else 1
    with trio.fail_after(3 * WAIT_S):
        while await lost_at(scene, n, how, batch := scene.batch(n)):
            done = await scene.store.commit(batch)
            assert list(done.duplicates) == [1, 0]
            n, lost = n + step, lost + 1
            assert await scene.counts() == tuple(lost * each for each in scene.once)
    assert lost > 3


async def test_reading_heals_after_cuts_and_cancellations(scene: Scene, logs: Logs) -> None:
    """After thirty of each, every connection of the pool can still be had."""
    logs.claim("asyncio failure")  # as above
    user_id = scene.home.device.user_id
    for n in range(60):
        scope = trio.CancelScope()
        lose = scope.cancel if n % 2 else scene.proxy.cut_everything
        scene.proxy.before_message(1 + n % 3, lose)  # bind, execute, sync
        with scope:
            await attempt(scene.store.snapshot, user_id, 0, 100)
        assert scene.proxy.reached
        assert await scene.store.snapshot(user_id, 0, 100)
    with trio.fail_after(WAIT_S):
        async with trio.open_nursery() as nursery:
            for _ in range(READING_CONNECTIONS):
                nursery.start_soon(scene.store.ping)


@pytest.mark.parametrize("where", ["on its way", "on the server"])
async def test_a_new_process_waits_for_a_commit_that_is_still_running(
    scene: Scene, where: str
) -> None:
    if where == "on its way":
        begins_with_its_claim(scene)
    first, memory = Call(), Call()

    async def waits() -> bool:
        return memory.ended or bool(await scene.waiting_for("relation"))

    async with open_store(scene.url) as later, trio.open_nursery() as nursery:
        if where == "on its way":
            scene.proxy.hold_commit()
            nursery.start_soon(first.run, scene.store.commit, scene.batch())
        else:
            await scene.halt_commits()
            nursery.start_soon(first.run, scene.store.commit, scene.batch())
            await until(lambda: scene.waiting_for("advisory"))
            scene.proxy.cut_everything()
        await first.wait_ended()
        assert first.failed
        nursery.start_soon(memory.run, later.session_memory, SESSION)
        await until(waits)
        assert not memory.ended
        if where == "on its way":
            scene.proxy.release()
        else:
            await scene.resume_commits()
        assert (await memory.wait_ended()).suspects == (bytes(16),)
    assert await scene.counts() == scene.once


async def test_what_comes_to_the_server_after_another_lead_began_does_nothing(
    scene: Scene,
) -> None:
    """A process that was killed had sent it; nobody could wait for what had not begun."""
    first = await scene.store.hold_lead("one", WAIT_S)
    scene.has_more = False
    scene.proxy.hold_commit()
    batch = msgspec.structs.replace(scene.batch(), epoch=first.epoch)
    assert (await attempt(scene.store.commit, batch)).failed
    await scene.home.store.hold_lead("other", WAIT_S, seize=True)
    assert (await scene.home.store.session_memory(SESSION)).suspects == ()
    others = scene.proxy.connections - 1
    scene.proxy.release()

    async def is_done() -> bool:
        return scene.proxy.connections == others

    await until(is_done)
    assert await scene.counts() == NOTHING


async def test_sessions_ask_while_the_writer_commits(scene: Scene) -> None:
    """More of them than there are connections, and nobody waits in a circle."""
    memories = [Call() for _ in range(2 * READING_CONNECTIONS)]
    with trio.fail_after(WAIT_S):
        async with trio.open_nursery() as nursery:
            for memory in memories:
                nursery.start_soon(memory.run, scene.store.session_memory, SESSION)
            for n in range(20):
                await scene.store.commit(scene.batch(n))
    assert not any(memory.failed for memory in memories)


async def test_behind_a_stuck_commit_a_new_process_asks_again_and_commits_go_on(
    scene: Scene,
) -> None:
    begins_with_its_claim(scene)
    scene.proxy.hold_commit()
    assert (await attempt(scene.store.commit, scene.batch())).failed
    memory, commit = Call(), Call()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(memory.run, scene.store.session_memory, SESSION)
        await until(lambda: scene.waiting_for("relation"))
        # It stands behind the one that asks, until that gives up.
        nursery.start_soon(commit.run, scene.home.commit, of(taken=Taken("other", bytes(16))))
        assert (await commit.wait_ended()).no
        await memory.wait_ended()
    assert memory.failed
    scene.proxy.cut_everything()
    await attempt(scene.store.ping)  # the pool may have to learn that its connection is cut
    assert (await scene.store.session_memory(SESSION)).suspects == ()


async def test_a_retry_waits_for_the_first_try_and_answers_the_same(scene: Scene) -> None:
    batch = scene.batch()
    await scene.halt_commits()
    first, second = Call(), Call()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(first.run, scene.store.commit, batch)
        await until(lambda: scene.waiting_for("advisory"))
        scene.proxy.cut_everything()
        await first.wait_ended()
        assert first.failed
        nursery.start_soon(second.run, scene.store.commit, batch)
        await until(lambda: scene.waiting_for("transactionid"))
        assert not second.ended
        await scene.resume_commits()
        done = await second.wait_ended()
    assert list(done.duplicates) == [1, 0]
    assert await scene.fetch("SELECT no FROM commits") == [(done.no,)]
    assert await scene.counts() == scene.once


async def test_a_backend_killed_in_the_middle_of_a_commit_stores_nothing(scene: Scene) -> None:
    """Its end is a crash of the whole server for PostgreSQL; it recovers by itself."""
    batch = scene.batch()
    await scene.halt_commits()
    first = Call()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(first.run, scene.store.commit, batch)
        (backend,) = await until(lambda: scene.waiting_for("advisory"))
        os.kill(backend, signal.SIGKILL)
        await first.wait_ended()
    assert first.failed

    async def back() -> bool:
        return not (await attempt(scene.home.store.ping)).failed

    # The killed one is gone before the others are told to end: until then a ping may be answered.
    await until(scene.is_lost)
    await until(back)
    assert await scene.counts() == NOTHING
    done = await scene.store.commit(batch)
    assert list(done.duplicates) == [1, 0]
    assert await scene.counts() == scene.once
