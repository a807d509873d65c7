"""Classic mistakes with failures: they spread, they leak, and what failed once never runs again."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import actors.device.loader
from actors.access.sessions import Sessions
from actors.due.dead_letters import DeadLetters
from actors.due.webhooks import WebhookSender
from actors.ingest.canaries import Canaries
from actors.ingest.own_sessions import OwnSessions
from actors.runtime.isolation import Failed, attempt
from actors.runtime.retry import Pauses
from actors.runtime.supervisor import Supervisor
from actors.user.mqtt_relay import MqttRelay
from protocol.errors import Unavailable
from tests.simulation.planted import Patch, plant


@plant("a job that failed once never runs again")
def never_again(patch: Patch) -> None:
    keep = Supervisor._keeping

    async def mistaken(
        self: Supervisor, name: str, run: Callable[[], Awaitable[None]], pauses: Pauses
    ) -> None:
        if not name.startswith("job "):
            await keep(self, name, run, pauses)
        elif isinstance(await attempt(run), Failed):
            self.crashes += 1

    patch.setattr(Supervisor, "_keeping", mistaken)


@plant("a put-aside row blocks its neighbours")
def all_fail(patch: Patch) -> None:
    async def mistaken(
        keys: Sequence[Any], work: Callable[[Sequence[Any]], Awaitable[Sequence[Any]]]
    ) -> list[Any]:
        done = await attempt(partial(work, keys))
        if not isinstance(done, Failed):
            return list(done)
        if isinstance(done.error, Unavailable):
            raise done.error
        return [done] * len(keys)

    patch.setattr(actors.device.loader, "attempt_each", mistaken)


@plant("a sender slot leaked")
def leaked_slot(patch: Patch) -> None:
    async def mistaken(self: WebhookSender) -> None:
        async for claim in self._take:
            outcome = await attempt(partial(self._post, claim))
            if not isinstance(outcome, Failed):
                await self._note(claim, outcome)
                self._running[claim.delivery.webhook_num] -= 1
                self._freed()

    patch.setattr(WebhookSender, "_send_forever", mistaken)


@plant("a NOTIFY ends the process")
def ended_by_a_notice(patch: Patch) -> None:
    """As it was: what it names is looked up, that fails, and nine failures are too many."""

    async def restarted(
        self: Supervisor, name: str, run: Callable[[], Awaitable[None]], pauses: Pauses
    ) -> None:
        await self._restarting(name, run, lambda: None, [])

    patch.setattr(Sessions, "_noticed", Sessions.invalidate)
    patch.setattr(MqttRelay, "_look_contained", MqttRelay._look)
    patch.setattr(Supervisor, "_keeping", restarted)


@plant("what was put aside is never tried again")
def never_tried(patch: Patch) -> None:
    async def mistaken(self: DeadLetters) -> int | None:
        self.counts = await self._store.count_dead_letters()
        return None

    patch.setattr(DeadLetters, "work", mistaken)


@plant("a NOTIFY is lost")
def unheard(patch: Patch) -> None:
    patch.setattr(Sessions, "_noticed", lambda self, payload: None)


@plant("the canary is always green")
def green_canary(patch: Patch) -> None:
    patch.setattr(Canaries, "failing", property(lambda self: {}))


@plant("nobody counts what is owed")
def nothing_owed(patch: Patch) -> None:
    patch.setattr(OwnSessions, "unsettled", lambda self: (0, 0.0))
