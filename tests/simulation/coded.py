"""Every text of Roost's own that is stored has its code, and says the same in English."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from protocol.device.commands import CANCELLED, EXPIRED
from protocol.problems.coded import code_of
from protocol.problems.detail import Detail
from protocol.schedule.schedules import MISSED
from tests.simulation.broken import Broken

if TYPE_CHECKING:
    from tests.simulation.world import World


def coded(world: "World") -> None:
    """Raises `Broken`: a page could not say it in its reader's language."""
    for record in _ours(world):
        said = code_of(record.coded)
        if said["code"] is None or str(Detail(said["code"], **said["params"])) != record.detail:
            raise Broken("I1", f"a text without its code: {record}")


def _ours(world: "World") -> Iterator[Any]:
    """Records whose texts are Roost's own. What a device says of a command is not."""
    store = world.store
    yield from (stored for _, stored in store._rejections)
    yield from (alarm for alarm in store.all_alarms.values() if alarm.detail)
    for command in store.all_commands.values():
        if command.state == EXPIRED or (command.state == CANCELLED and not command.delivered_us):
            yield command
    for occurrence in store.all_occurrences.values():
        if occurrence.state == MISSED and occurrence.command_id is None:
            yield occurrence
