"""A claim takes rows as they are when it locks them, not as they were when its statement began."""

import re
from typing import Any

import trio

from actors.adapters.asyncio_bridge import open_bridge
from actors.adapters.postgres import command_claims, schedule_claims
from actors.adapters.postgres.wire import connections
from actors.ports.time import Claimed
from protocol.device.commands import Command
from protocol.problems.detail import Detail
from protocol.schedule.schedules import Due, Occurrence, missed
from tests.contract.pg_scene import WAIT_S, Scene, until
from tests.contract.test_store_commands import some_command
from tests.contract.test_store_schedules import some_media, some_schedule
from tests.unit.makers import NOW, SECOND, USER

GATE = 8  # the advisory lock at which a claim stops between what it sees and what it locks


class Gated:
    """A connection whose claims stop at the gate."""

    def __init__(self, connection: Any) -> None:
        self.transaction = connection.transaction
        self.fetchval = connection.fetchval
        self.execute = connection.execute
        self._connection = connection

    async def fetch(self, query: str, *args: Any) -> Any:
        gate = f" WHERE pg_advisory_xact_lock_shared({GATE})::text = '' AND "
        gated, gates = re.subn(r"\sWHERE\s", gate, query, count=1)
        assert gates == 1
        return await self._connection.fetch(gated, *args)


async def claimed_across(scene: Scene, change: Any, work: Any, *args: Any) -> Claimed:
    """What is claimed when a change commits after the claim has seen its rows."""

    async def run() -> Any:
        connection = await connections.connect(scene.url)
        try:
            return await work(Gated(connection), *args)
        finally:
            await connection.close()

    answers: list[Claimed] = []

    async def claim() -> None:
        async with open_bridge("claims") as bridge:
            answers.append(await bridge.run(run))

    await scene.fetch(f"SELECT pg_advisory_lock({GATE})")
    with trio.fail_after(WAIT_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(claim)
            await until(lambda: scene.waiting_for("advisory"))
            await change()
            await scene.fetch(f"SELECT pg_advisory_unlock({GATE})")
    (answer,) = answers
    return answer


async def test_a_command_that_is_noted_meanwhile_stays_noted(scene: Scene) -> None:
    home = scene.home
    command = await home.store.add_command(some_command(home))

    async def note() -> None:
        await home.store.commands_sent([(command.key, NOW)])

    claimed = await claimed_across(scene, note, command_claims.claim_commands, NOW, 10)
    (sent,) = claimed.send
    assert (sent.state, sent.sent_us) == ("sent", NOW)
    assert await home.store.command(USER, command.id) == sent


async def test_an_occurrence_that_was_taken_back_and_planned_again_goes_on(scene: Scene) -> None:
    home = scene.home
    await home.store.add_media(some_media())
    schedule = await home.store.add_schedule(some_schedule(), [NOW])

    async def edit() -> None:
        await home.store.update_schedule(schedule, [])
        await home.store.update_schedule(schedule, [NOW])

    def judge(due: Due) -> tuple[Occurrence, Command | None]:
        return missed(due.occurrence, Detail("play_offline")), None

    claimed = await claimed_across(
        scene, edit, schedule_claims.claim_occurrences, NOW + SECOND, 10, judge
    )
    (occurrence,) = claimed.changed.occurrences
    assert occurrence.version == 3
