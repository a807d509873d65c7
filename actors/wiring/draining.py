"""The end of the service: what was taken is committed, what was claimed is sent and noted."""

import structlog
import trio

from actors.due.scheduler import Scheduler
from actors.ingest.gateway import Gateway
from actors.ingest.own_sessions import OwnSessions
from actors.ingest.writer import Writer

log = structlog.get_logger("roost.service")

# Of the ten seconds that an end may take; the rest is for the web server, the sessions and the
# embedded servers.
DRAIN_MAX_S = 5.0
DRAIN_POLL_S = 0.01


class Draining:
    """Attributes:
    by_s: when it stops waiting for what is in flight (Trio's clock); None before the end.
    left: what it gave up at the end, as text; "" if nothing.
    """

    def __init__(
        self, writer: Writer, gateway: Gateway, own_sessions: OwnSessions, scheduler: Scheduler
    ) -> None:
        self.by_s: float | None = None
        self.left = ""
        self._writer = writer
        self._gateway = gateway
        self._own_sessions = own_sessions
        self._scheduler = scheduler

    async def run(self) -> None:
        """Take nothing new from the broker and claim no due work. Wait until what was taken is
        committed, the broker has processed the acknowledgements, and the store knows that; and
        until what was claimed is sent and noted.

        Otherwise the next process could take a new message with the same content for a redelivery
        of one of these.

        Takes `DRAIN_MAX_S` at most from the first call on: the rest stays with the broker and the
        database, and the next process gets it. A later call waits for what people wrote meanwhile,
        for the rest of that time.
        """
        if self.by_s is None:
            self.by_s = trio.current_time() + DRAIN_MAX_S
            self._gateway.close()
            self._scheduler.close()
            self._writer.hasten()
        with trio.move_on_at(self.by_s) as scope:
            await self._writer.barrier()
            while self._has_in_flight:
                await trio.sleep(DRAIN_POLL_S)
                await self._writer.barrier()
        if scope.cancelled_caught and not self.left:
            self.left = self._give_up()

    @property
    def _has_in_flight(self) -> bool:
        in_flight = self._gateway.room.messages or self._own_sessions.unheard
        return bool(in_flight or self._writer.is_confirming or self._scheduler.in_flight)

    def _give_up(self) -> str:
        """Log what is not finished, and return it as text."""
        said: list[str] = []
        if self._gateway.room.messages or self._own_sessions.unheard:
            (messages, _), unheard = self._own_sessions.unsettled(), self._own_sessions.unheard
            why = self._hindrance()
            log.warning("left to the broker", messages=messages, unheard=unheard, why=why)
            said.append(
                f"left to the broker, for the next process: {messages} messages that are not"
                f" committed, and {unheard} of which it may not have heard that they are; {why}"
            )
        if self._scheduler.in_flight:
            commands = self._scheduler.command_outbox.in_flight
            deliveries = self._scheduler.webhook_sender.in_flight
            log.warning("left to the next process", commands=commands, deliveries=deliveries)
            said.append(
                f"left to the next process: {commands} commands and {deliveries} deliveries"
            )
        return "; ".join(said) or self._hindrance()

    def _hindrance(self) -> str:
        """Why it is not drained yet."""
        since_s = self._writer.statistics().commit_since_s
        if since_s is not None:
            for_s = trio.current_time() - since_s
            return f"the database has not answered a commit for {for_s:.0f} s"
        if self._own_sessions.unheard:
            return "the broker has not shown that it heard the acknowledgements"
        return f"the actors did not handle all within {DRAIN_MAX_S:.0f} s"
