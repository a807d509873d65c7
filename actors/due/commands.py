"""Sends commands: claimed ones are published, and noted as sent.

The database is the outbox. Every command here was claimed there, and becomes due again by itself
when this process dies or the broker does not take it. Commands are published with QoS 1, and never
after their expiry. What the broker holds already for a device that is away is not published again
(`held_commands`); commands that are published for the first time do not wait for that.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

import structlog
import trio

from actors.containment.publishing import publish_each
from actors.containment.put_aside import put_aside
from actors.due.held_commands import held_for
from actors.ports.broker import PUBLISH_MAX, Broker, Publication
from actors.ports.logins import Logins
from actors.ports.store import Store
from actors.ports.time import Progress
from actors.runtime.clock import WallClock
from actors.runtime.isolation import Failed, attempt_now
from actors.runtime.retry import Pauses, until_available
from protocol.dead_letters import COMMANDS, subject_of_command
from protocol.device import commands
from protocol.device.commands import Command, CommandKey
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
        self._first = trio.open_memory_channel[Command](QUEUE_MAX)
        self._again = trio.open_memory_channel[Command](QUEUE_MAX)  # published before
        self._here: set[CommandKey] = set()  # only for look-ups, never iterated
        self._going = 0  # with the broker
        self._sent: dict[CommandKey, tuple[Command, int]] = {}  # and when
        self._unsent: dict[CommandKey, int] = {}  # and when they are tried again
        self._spoiled: dict[
            CommandKey, tuple[Command, Exception]
        ] = {}  # and why they cannot be sent
        self._noted = trio.Event()

    @property
    def room(self) -> int:
        """How many more it takes; outcomes that are not noted yet take room, too."""
        return max(0, QUEUE_MAX - len(self._here) - self._outcomes)

    @property
    def in_flight(self) -> int:
        """Claimed commands whose outcome is not noted yet."""
        return len(self._here) + self._going + self._outcomes

    @property
    def _outcomes(self) -> int:
        """That are not noted yet."""
        return len(self._sent) + len(self._unsent) + len(self._spoiled)

    def send(self, claimed: Sequence[Command]) -> None:
        """Take claimed commands. One without room is claimed again after its pause."""
        for command in claimed:
            if command.key in self._here:
                continue  # it has waited here so long that it was claimed again
            if len(self._here) >= QUEUE_MAX:
                return
            put, _ = self._first if command.state == commands.QUEUED else self._again
            put.send_nowait(command)
            self._here.add(command.key)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(SENDERS):
                nursery.start_soon(self._send_forever, self._first[1], self._publish)
            nursery.start_soon(self._send_forever, self._again[1], self._publish_again)
            nursery.start_soon(self._note_forever)

    async def _send_forever(
        self,
        take: trio.MemoryReceiveChannel[Command],
        publish: Callable[[Sequence[Command]], Awaitable[bool]],
    ) -> None:
        async for command in take:
            batch = [command]
            with suppress(trio.WouldBlock):
                while len(batch) < PUBLISH_MAX:
                    batch.append(take.receive_nowait())
            self._here.difference_update(command.key for command in batch)
            self._going += len(batch)
            try:
                is_taken = await publish(batch)
            finally:
                self._going -= len(batch)
            if not is_taken:
                await trio.sleep(RETRY_S)  # the next batches would most likely fail, too

    async def _publish_again(self, batch: Sequence[Command]) -> bool:
        """Those of which the broker holds no copy; the pause of the others' claims goes on."""
        held = await held_for(self._logins, (command.device_id for command in batch))
        now_us = self._clock.now_us()
        for command in batch:
            held_s = held.get(command.device_id, 0)
            if 0 < held_s <= commands.AGAIN_FIRST_S:
                self._unsent[command.key] = now_us + round(held_s * SECOND_US)
        return await self._publish([each for each in batch if each.device_id not in held])

    async def _publish(self, batch: Sequence[Command]) -> bool:
        """Publish what has not expired; return whether the broker took all of it."""
        now_us = self._clock.now_us()
        going = [command for command in batch if now_us < command.expires_us]
        # Never after its expiry; the next claim records it.
        self.expired += len(batch) - len(going)
        made = [(command, attempt_now(partial(self._publication, command))) for command in going]
        good = [(command, each) for command, each in made if not isinstance(each, Failed)]
        answers = iter(await publish_each(self._broker, [each for _, each in good]))
        # One that cannot be encoded is treated like one that cannot be published.
        taken = [each if isinstance(each, Failed) else next(answers) for _, each in made]
        for command, is_taken in zip(going, taken, strict=True):
            if isinstance(is_taken, Failed):
                self._spoiled[command.key] = command, is_taken.error
                continue
            if not is_taken:
                log.debug("command not taken by the broker", command=command.id)
                self._unsent[command.key] = self._clock.now_us() + round(RETRY_S * SECOND_US)
                continue
            self.published += 1
            if command.state == commands.QUEUED:
                self._sent[command.key] = command, self._clock.now_us()
        if self._outcomes:
            self._noted.set()
        return all(taken)

    async def _note_forever(self) -> None:
        """Note outcomes for ever; each note covers all commands published during the previous
        one."""
        while True:
            await self._noted.wait()
            await until_available(self._note_some, Pauses(RETRY_S), self._waits)
            if self._outcomes:
                self._noted.set()
            await trio.sleep(NOTE_EVERY_S)

    async def _note_some(self) -> None:
        self._noted = trio.Event()
        sent = list(self._sent.values())[:NOTES_MAX]
        unsent = list(self._unsent.items())[:NOTES_MAX]
        if sent:
            await self._note(sent)
        if unsent:
            await self._store.commands_unsent(unsent)
            self._due(min(next_us for _, next_us in unsent))
        for command, error in list(self._spoiled.values())[:NOTES_MAX]:
            await self._put_aside(command, error)
        for command, _ in sent:
            del self._sent[command.key]
        for key, _ in unsent:
            del self._unsent[key]

    def _waits(self, error: Unavailable) -> None:
        log.warning("commands are noted later", count=len(self._sent), error=in_words(error))

    async def _put_aside(self, command: Command, error: Exception) -> None:
        """It is tried again after its pause, until it expires; other commands of its device
        continue."""
        next_us = await put_aside(
            self._store,
            self._clock,
            COMMANDS,
            subject_of_command(command.key),
            error,
            command.user_id,
        )
        longest_us = self._clock.now_us() + commands.AGAIN_MAX_S * SECOND_US
        await self._store.commands_unsent([(command.key, min(next_us or longest_us, longest_us))])
        del self._spoiled[command.key]

    async def _note(self, sent: Sequence[tuple[Command, int]]) -> None:
        versions = await self._store.commands_sent(
            [(command.key, at_us) for command, at_us in sent]
        )
        noted = [
            commands.noted_as_sent(command, at_us, versions[command.key])
            for command, at_us in sent
            if command.key in versions
        ]
        self._changed(Progress(commands=tuple(noted)))

    def _publication(self, command: Command) -> Publication:
        topic = commands_topic(command.user_id, command.device_code)
        message = commands.message(command)
        # Others may wait for it to be sent.
        return Publication(topic, message, is_late=partial(self._is_late, command.expires_us))

    def _is_late(self, expires_us: int) -> bool:
        return self._clock.now_us() >= expires_us
