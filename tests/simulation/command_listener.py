"""What devices hear of commands, and what they answer.

A device does a command once, however often it hears of it, and answers each time that it hears.
Which of them hear, how long they take and how it ends, the plan has drawn before.
"""

import json
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from protocol.times import parse_rfc3339
from tests.simulation.broken import Broken
from tests.simulation.clock import START_US

if TYPE_CHECKING:
    from tests.simulation.world import World


# Two looks at the clock are never at one microsecond: what one sees may be so much ahead.
LOOK_US = 1_000


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """To one hearing. `after_s`: when it answers `delivered`; None: it does not hear at all, or its
    answer is lost. `ends_s`: when it answers with `outcome`; None: never."""

    after_s: float | None = 0.0
    ends_s: float | None = 0.5
    outcome: str = "succeeded"


class Heard(msgspec.Struct, kw_only=True, eq=False):
    """A command as a device has it."""

    device: str
    command: dict[str, Any]
    first_us: int  # by the service's clock
    times: int = 1
    delivered_us: int | None = None  # by the device's clock, as it told
    ended: str = ""
    acks: list[Any] = []  # what the broker took of its answers

    @property
    def owed(self) -> str:
        """What the broker has of its answers, and did not lose: that the service has to know."""
        said = [status for status, sent in self.acks if not sent.lost]
        ends = [status for status in said if status != "delivered"]
        return ends[0] if ends else ("delivered" if said else "")


class CommandListener:
    """The devices of a world as far as they listen."""

    def __init__(self, world: "World", reactions: list[Reaction]) -> None:
        self.heard: dict[str, Heard] = {}  # by the command's id
        self.order: dict[str, list[str]] = {}  # ids by device, in the order of their first arrival
        self.nursery: trio.Nursery
        self.deaf: set[str] = set()  # asked for only
        self._world = world
        self._reactions = reactions or [Reaction()]
        self._hearings = 0

    def published(self, topic: str, payload: bytes) -> None:
        """The service begins to publish: never after the expiry, and never before its time."""
        if not topic.endswith("/commands"):
            return
        command = json.loads(payload)
        now_us = self._world.clock.peek_us()
        if now_us >= _us(command["expires_at"]):
            raise Broken("I7", f"published after its expiry: {command}")
        due = (command["payload"] or {}).get("due_at") if _is_media(command) else None
        set_back = self._world.trace.fired["clock back"]  # then it was tried before that
        if due is not None and now_us < _us(due) - LOOK_US and not set_back:
            raise Broken("I7", f"published before its time: {command}")

    def arrived(self, topic: str, payload: bytes) -> None:
        """The broker brings it to whoever listens."""
        if not topic.endswith("/commands"):
            return
        _, user_id, _, code, _ = topic.split("/")
        owner = next((p.name for p in self._world.people if p.id == user_id), "")
        name = f"{owner}/{code}"
        reaction = self._reactions[self._hearings % len(self._reactions)]
        self._hearings += 1
        if name in self.deaf or reaction.after_s is None:
            self._world.trace.fault("device: deaf", name)
            return
        command = json.loads(payload)
        heard = self.heard.get(command["id"])
        if heard is None:
            heard = Heard(device=name, command=command, first_us=self._world.clock.peek_us())
            heard.acks = []
            self.heard[command["id"]] = heard
            self.order.setdefault(name, []).append(command["id"])
        else:
            heard.times += 1
        self._world.trace.note(f"device {name}", f"hears {command['type']} x{heard.times}")
        self.nursery.start_soon(self._answer, heard, reaction, name=f"answer of {name}")

    async def _answer(self, heard: Heard, reaction: Reaction) -> None:
        await trio.sleep(reaction.after_s or 0.0)
        at_us = START_US + round(trio.current_time() * 1000) * 1000
        if heard.delivered_us is None:
            heard.delivered_us = at_us
        await self._say(heard, {"status": "delivered", "at": heard.delivered_us // 1000})
        if reaction.ends_s is None and not heard.ended:
            return
        await trio.sleep(reaction.ends_s or 0.0)
        heard.ended = heard.ended or reaction.outcome
        await self._say(heard, {"status": heard.ended, "detail": "as asked"})

    async def _say(self, heard: Heard, body: dict[str, Any]) -> None:
        owner, _, code = heard.device.partition("/")
        device = self._world.device(code, owner)
        tail = f"commands/{heard.command['id']}/ack"
        sent = await device.send(tail, json.dumps(body).encode())
        heard.acks.append((body["status"], sent))


def _is_media(command: dict[str, Any]) -> bool:
    return bool(command["type"] == "play_media")


def _us(text: str) -> int:
    return parse_rfc3339(text)
