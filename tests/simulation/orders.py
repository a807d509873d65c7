"""Commands of a plan: how they are asked for, and what must have become of them (I7)."""

from typing import TYPE_CHECKING

from protocol.device.commands import CANCELLED, DELIVERED, ENDED, EXPIRED, Command
from tests.simulation.broken import Broken
from tests.simulation.person import Refused
from tests.simulation.plan import Order, Revoke

if TYPE_CHECKING:
    from tests.simulation.world import World

TTL_MAX_S = 700.0  # above every `ttl_s` of a plan


def id_of(number: int) -> str:
    """The id of the command of that number: who asks twice, asks for one."""
    return f"00000000-0000-4000-b000-{number:012d}"


class Orders:
    """Whoever sends commands, and the book of them."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._kept: dict[str, Order] = {}  # what the service answered 201 to
        self._revoked: set[str] = set()  # what it answered 204 to; asked for only
        self._tried: set[str] = set()  # what was to be cancelled; the answer may be lost

    async def order(self, step: Order) -> None:
        owner, _, code = step.device.partition("/")
        device = self._world.device(code, owner)
        command_id = id_of(step.number)
        body = {
            "id": command_id,
            "type": "beep",
            "payload": {"number": step.number},
            "ttl_s": step.ttl_s,
            "parallel": step.parallel,
        }
        for _ in range(2 if step.twice else 1):
            try:
                made = await device.person.post(f"/devices/{device.id}/commands", body)
            except Refused as refused:
                if refused.status not in (404, 409):  # the visitor is gone, or was
                    raise
                return
            if made["id"] != command_id:
                raise Broken("I7", f"asked for {command_id}, got {made}")
            self._kept[command_id] = step

    async def revoke(self, step: Revoke) -> None:
        person = self._world.person(step.device.partition("/")[0])
        self._tried.add(id_of(step.number))
        try:
            await person.delete(f"/commands/{id_of(step.number)}")
        except Refused as refused:
            spoiled = refused.status == 400 and id_of(step.number) in self._world.poison.commands
            if refused.status not in (404, 409) and not spoiled:
                raise
            return
        self._revoked.add(id_of(step.number))

    async def check(self) -> None:
        """After everything that can expire has: nothing is lost, nothing is made up."""
        await self._world.advance(TTL_MAX_S)
        await self._world.settle()
        stored = {each.id: each for each in self._world.store.all_commands.values()}
        for command_id, step in self._kept.items():
            if step.device.endswith("/visitor") and self._world.trace.fired["device deleted"]:
                continue
            if command_id not in stored:
                raise Broken("I7", f"a command was answered 201 and is not there: {step}")
            self._check_end(stored[command_id], step)
        for command_id, heard in self._world.command_listener.heard.items():
            if command_id not in stored and not heard.device.endswith("/visitor"):
                raise Broken("I7", f"{heard.device} heard of a command that nobody knows")
        self._check_order(stored)

    def _check_end(self, command: Command, step: Order) -> None:
        if command.state not in (*ENDED, DELIVERED):
            raise Broken("I7", f"still {command.state} after its expiry: {step}")
        heard = self._world.command_listener.heard.get(command.id)
        owed = "" if heard is None else heard.owed
        if command.id in self._revoked:
            if command.state != CANCELLED:
                raise Broken("I7", f"was cancelled and is {command.state}: {step}")
        elif command.state == CANCELLED and command.id in self._tried:
            return
        elif heard is not None and heard.ended and command.state == heard.ended:
            return  # also where the device waits for the PUBACK of its answer still (seed 736)
        elif owed and command.state != owed and not self._may_be_lost:
            # An end that the broker took after all that we looked at is none that is owed.
            raise Broken("I7", f"the device said {owed}, it is {command.state}: {step}")
        elif heard is None and command.state not in (EXPIRED, CANCELLED):
            raise Broken("I7", f"no device heard of it, and it is {command.state}: {step}")

    @property
    def _may_be_lost(self) -> bool:
        """An answer that killed its actor twice was set aside, and kept as refused."""
        crashed = self._world.trace.fired["actor crash, same message again"]
        poison = self._world.poison  # what nobody can read, nobody can answer
        return bool(crashed or poison.devices or poison.commands)

    def _check_order(self, stored: dict[str, Command]) -> None:
        for device, ids in self._world.command_listener.order.items():
            # What was put aside goes out when it can.
            spoiled = self._world.poison.commands
            known = [stored[each] for each in ids if each in stored and each not in spoiled]
            numbers = [command.num for command in known if not command.parallel]
            if numbers != sorted(numbers):
                raise Broken("I7", f"{device} heard commands out of order: {numbers}")
