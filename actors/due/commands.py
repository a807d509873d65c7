"""Sends commands: claimed ones are published, and noted as sent.

The database is the outbox. Every command here was claimed there, and becomes due again by itself
when this process dies or the broker does not take it. Commands are published with QoS 1, and never
after their expiry. What the broker holds already for a device that is away is not published again:
the device would get it as often as it was tried.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import structlog
import trio

from actors.access.mqtt_credentials import client_id_of
from actors.containment.publishing import publish_each
from actors.containment.put_aside import put_aside
from actors.ports.broker import PUBLISH_MAX, Broker, Publication
from actors.ports.logins import Logins
from actors.ports.store import Store
from actors.ports.time import Progress
from actors.runtime.clock import WallClock
from actors.runtime.isolation import Failed, attempt_now
from actors.runtime.retry import Pauses, until_available
from protocol.dead_letters import COMMANDS
from protocol.device import commands
from protocol.device.commands import Command
from protocol.device.topics import commands_topic
from protocol.errors import Unavailable, in_words
from protocol.times import SECOND_US

log = structlog.get_logger("roost.dispatch")

# While the broker has one batch, the next is in flight.
SENDERS = 2
# A command is at most 33 kB: 160 MB in the worst case, and usually 2 MB.
QUEUE_MAX = 5_000
NOTES_MAX = 200
NOTE_EVERY_S = 0.02
RETRY_S = 1.0
# How long the broker has to say what it holds. What is not known by then is published.
HELD_WITHIN_S = 1.0


class CommandOutbox:
    """Usage: `nursery.start_soon(outbox.run)`; then `outbox.send(claimed)`.

    Args:
        changed: called with the commands that are now `sent`.
        due: called with the time at which commands are to be claimed again.
    """

    def __init__(
        self,
        store: Store,
        broker: Broker,
        logins: Logins,
        clock: WallClock,
        changed: Callable[[Progress], None],
        due: Callable[[int], None],
    ) -> None:
        self.published = 0
        self.expired = 0
        self._store = store
        self._broker = broker
        self._logins = logins
        self._clock = clock
        self._changed = changed
        self._due = due
        self._put, self._take = trio.open_memory_channel[Command](QUEUE_MAX)
        self._here: set[str] = set()  # only for look-ups, never iterated
        self._going = 0  # with the broker
        self._sent: dict[str, tuple[Command, int]] = {}  # and when
        self._unsent: dict[str, None] = {}
        self._held: dict[str, int] = {}  # and when they are tried again
        self._spoiled: dict[str, tuple[Command, Exception]] = {}  # and why they cannot be sent
        self._noted = trio.Event()

    @property
    def room(self) -> int:
        """How many more it takes; outcomes that are not noted yet take room, too."""
        waiting = self._put.statistics().current_buffer_used
        return max(0, QUEUE_MAX - waiting - self._outcomes)

    @property
    def in_flight(self) -> int:
        """Claimed commands whose outcome is not noted yet."""
        return len(self._here) + self._going + self._outcomes

    @property
    def _outcomes(self) -> int:
        """That are not noted yet."""
        return len(self._sent) + len(self._unsent) + len(self._held) + len(self._spoiled)

    def send(self, claimed: Sequence[Command]) -> None:
        """Take claimed commands. One without room is claimed again after its pause."""
        for command in claimed:
            if command.id in self._here:
                continue  # it has waited here so long that it was claimed again
            try:
                self._put.send_nowait(command)
            except trio.WouldBlock:
                return
            self._here.add(command.id)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(SENDERS):
                nursery.start_soon(self._send_forever)
            nursery.start_soon(self._note_forever)

    async def _send_forever(self) -> None:
        async for command in self._take:
            batch = [command]
            with suppress(trio.WouldBlock):
                while len(batch) < PUBLISH_MAX:
                    batch.append(self._take.receive_nowait())
            self._here.difference_update(command.id for command in batch)
            self._going += len(batch)
            try:
                is_taken = await self._send(batch)
            finally:
                self._going -= len(batch)
            if not is_taken:
                await trio.sleep(RETRY_S)  # the next batches would most likely fail, too

    async def _send(self, batch: Sequence[Command]) -> bool:
        """Publish what has not expired; return whether the broker took all of it."""
        now_us = self._clock.now_us()
        timely = [command for command in batch if now_us < command.expires_us]
        # Never after its expiry; the next claim records it.
        self.expired += len(batch) - len(timely)
        held = await self._held_among([c for c in timely if c.state != commands.QUEUED])
        going = [command for command in timely if command.id not in held]
        made = [(command, attempt_now(partial(self._publication, command))) for command in going]
        good = [(command, each) for command, each in made if not isinstance(each, Failed)]
        answers = iter(await publish_each(self._broker, [each for _, each in good]))
        # One that cannot be encoded is treated like one that cannot be published.
        taken = [each if isinstance(each, Failed) else next(answers) for _, each in made]
        for command, is_taken in zip(going, taken, strict=True):
            if isinstance(is_taken, Failed):
                self._spoiled[command.id] = command, is_taken.error
                continue
            if not is_taken:
                log.debug("command not taken by the broker", command=command.id)
                self._unsent[command.id] = None
                continue
            self.published += 1
            if command.state == commands.QUEUED:
                self._sent[command.id] = command, self._clock.now_us()
        if self._sent or self._unsent or self._spoiled:
            self._noted.set()
        return all(taken)

    async def _held_among(self, published: Sequence[Command]) -> set[str]:
        """The ids of those of which the broker holds an earlier copy. All are asked for at once,
        so that a broker that does not answer costs every command little time."""
        held: set[str] = set()

        async def look(command: Command) -> None:
            if await self._is_held(command):
                held.add(command.id)

        if published:
            with trio.move_on_after(HELD_WITHIN_S):
                async with trio.open_nursery() as nursery:
                    for command in published:
                        nursery.start_soon(look, command)
        return held

    async def _is_held(self, command: Command) -> bool:
        """Whether the broker holds an earlier copy of it for its device, or has just delivered
        it. While the device is away, the pause of its claim goes on."""
        try:
            held_s = await self._logins.holds_for(client_id_of(command.device_id))
        except Unavailable as error:
            log.debug("not known what the broker holds", error=in_words(error))
            return False
        if 0 < held_s <= commands.AGAIN_FIRST_S:
            self._held[command.id] = self._clock.now_us() + round(held_s * SECOND_US)
            self._noted.set()
        return held_s > 0

    async def _note_forever(self) -> None:
        """Note outcomes for ever; each note covers all commands published during the previous
        one."""
        while True:
            await self._noted.wait()
            await until_available(self._note_some, Pauses(RETRY_S), self._waits)
            if self._sent or self._unsent or self._held or self._spoiled:
                self._noted.set()
            await trio.sleep(NOTE_EVERY_S)

    async def _note_some(self) -> None:
        self._noted = trio.Event()
        sent = list(self._sent.values())[:NOTES_MAX]
        unsent = list(self._unsent)[:NOTES_MAX]
        if sent:
            await self._note(sent)
        if unsent:
            again_us = self._clock.now_us() + round(RETRY_S * SECOND_US)
            await self._store.commands_unsent(unsent, again_us)
        for command_id, next_us in list(self._held.items())[:NOTES_MAX]:
            await self._store.commands_unsent([command_id], next_us)
            self._due(next_us)
            del self._held[command_id]
        for command, error in list(self._spoiled.values())[:NOTES_MAX]:
            await self._put_aside(command, error)
        for command, _ in sent:
            del self._sent[command.id]
        for command_id in unsent:
            del self._unsent[command_id]

    def _waits(self, error: Unavailable) -> None:
        log.warning("commands are noted later", count=len(self._sent), error=in_words(error))

    async def _put_aside(self, command: Command, error: Exception) -> None:
        """It is tried again after its pause, until it expires; other commands of its device
        continue."""
        next_us = await put_aside(
            self._store, self._clock, COMMANDS, command.id, error, command.user_id
        )
        longest_us = self._clock.now_us() + commands.AGAIN_MAX_S * SECOND_US
        await self._store.commands_unsent([command.id], min(next_us or longest_us, longest_us))
        del self._spoiled[command.id]

    async def _note(self, sent: Sequence[tuple[Command, int]]) -> None:
        versions = await self._store.commands_sent([(command.id, at_us) for command, at_us in sent])
        noted = [
            commands.noted_as_sent(command, at_us, versions[command.id])
            for command, at_us in sent
            if command.id in versions
        ]
        self._changed(Progress(commands=tuple(noted)))

    def _publication(self, command: Command) -> Publication:
        topic = commands_topic(command.user_id, command.device_code)
        message = commands.message(command)
        # Others may wait for it to be sent.
        return Publication(topic, message, is_late=partial(self._is_late, command.expires_us))

    def _is_late(self, expires_us: int) -> bool:
        return self._clock.now_us() >= expires_us
