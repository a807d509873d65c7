"""Receivers of webhooks: what they answer, and what they must have been told in the end (I7, I8).

Everybody has one webhook from the beginning. A receiver takes an event when it answers 2xx; how it
answers, the plan has drawn before.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from protocol.times import SECOND_US
from protocol.webhook.deliveries import ANSWER_WITHIN_S, DEAD, GIVE_UP_S, PENDING, news_of
from protocol.webhook.signing import signature
from tests.simulation.broken import Broken
from tests.simulation.person import Refused

if TYPE_CHECKING:
    from tests.simulation.world import World

ADDRESS = "https://hooks.example/"
# Longer than all tries of a delivery may take, and the longest pause between two.
WAITS_MAX_S = 60_000.0
AGAIN_S = 600.0
LOOK_S = 30.0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """To one request: a status after a while. Without a status it hangs."""

    status: int = 200
    after_s: float = 0.0


class Receivers:
    """All receivers of a world, whoever's they are."""

    def __init__(self, world: "World", answers: list[Answer]) -> None:
        self.is_well = False  # every request is taken at once
        self._world = world
        self._answers = answers or [Answer()]
        self._secrets: dict[str, str] = {}  # by owner
        self._ids: dict[str, str] = {}
        self._taken: dict[str, Counter[str]] = {}  # event ids by owner
        self._requests = 0

    async def register(self, owner: str) -> None:
        person = await self._world.person(owner).sign_up()
        try:
            made = await person.post("/webhooks", {"url": ADDRESS + owner})
        except Refused as refused:  # nothing goes wrong before the plan begins
            raise Broken("I7", f"no webhook: {refused}") from None
        self._secrets[owner], self._ids[owner] = made["secret"], made["id"]
        self._taken[owner] = Counter()

    def taken(self, owner: str) -> Counter[str]:
        """How often it took each event, by their ids."""
        return self._taken[owner]

    async def answer(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """A request arrives at whoever listens."""
        owner = url.removeprefix(ADDRESS)
        event_id, at_s = headers["webhook-id"], int(headers["webhook-timestamp"])
        right = signature(self._secrets[owner], event_id, at_s, body)
        if headers["webhook-signature"] != right:
            self._world.break_with("I8", f"a delivery for {owner} is not signed by its secret")
        self._check_owner(owner, json.loads(body))
        answer = self._answers[self._requests % len(self._answers)]
        self._requests += 1
        if self.is_well:
            answer = Answer()
        if not answer.status:
            self._world.trace.fault("receiver: hangs", owner)
            await trio.sleep(2 * ANSWER_WITHIN_S)
        await trio.sleep(answer.after_s)
        if 200 <= answer.status < 300:
            self._taken[owner][event_id] += 1
        else:
            self._world.trace.fault("receiver: refuses", owner)
        self._world.trace.note(f"receiver of {owner}", f"{headers['webhook-id']} {answer.status}")
        return answer.status

    def _check_owner(self, owner: str, event: dict[str, Any]) -> None:
        told_of = self._world.owner_of(event["data"]["device_id"])
        if told_of != owner:
            self._world.break_with("I8", f"{owner} is told of {told_of}: {event}")

    async def check(self) -> None:
        """Once receivers are well, nothing waits, and nothing that happened was not told."""
        self.is_well = True
        store = self._world.store
        with trio.move_on_after(WAITS_MAX_S):
            while waiting := [d for d in store.all_deliveries.values() if d.state == PENDING]:
                await self._world.advance(LOOK_S)
        if waiting:
            raise Broken("I7", f"deliveries wait for ever: {waiting[:3]}")
        await self._world.advance(AGAIN_S if await self._revived() else LOOK_S)
        wanted = news_of(
            0,
            alarms=list(store.all_alarms.values()),
            commands=list(store.all_commands.values()),
            occurrences=list(store.all_occurrences.values()),
        )
        for news in wanted:
            owner = next(p.name for p in self._world.people if p.id == news.user_id)
            if not self._taken[owner][news.event_id]:
                raise Broken("I7", f"{owner} was never told: {news}")
            if self._taken[owner][news.event_id] > 1 and not self._may_repeat:
                raise Broken("I7", f"{owner} was told twice, for no reason: {news}")

    async def _revived(self) -> bool:
        """Dead is only what waited for days, as the clock says; asked for, it comes.

        Answers whether there was any.
        """
        world = self._world
        every = [d for d in world.store.all_deliveries.values() if d.state == DEAD]
        for dead in every:
            days = (dead.finished_us or 0) - dead.created_us >= GIVE_UP_S * SECOND_US
            if not days or not world.trace.fired["clock forward"]:
                raise Broken("I7", f"given up too early: {dead}")
            for owner, webhook_id in self._ids.items():
                path = f"/webhooks/{webhook_id}/deliveries/{dead.id}/retry"
                try:
                    await world.person(owner).post(path, None)
                except Refused as refused:
                    if refused.status != 404:  # it is somebody else's
                        raise
        return bool(every)

    @property
    def _may_repeat(self) -> bool:
        """Something kept us from noting that it arrived, or made its lease end early."""
        return any(self._world.trace.fired[kind] for kind in REPEATS)


REPEATS = (
    "process killed",
    "process stopped",
    "store away",
    "store slow",
    "store: away for minutes",
    "process: paused",
    "process: cut off from the store",
    "clock forward",
    "clock back",
)
