"""Commands in the store's twin."""

from collections.abc import Sequence

import msgspec

from actors.adapters.memory.store.rules import computed
from actors.adapters.memory.store.webhooks import WebhookTables
from actors.ports.time import Claimed, Progress
from actors.runtime.clock import WallClock
from protocol.dead_letters import COMMANDS, command_key_of, subject_of_command
from protocol.device import commands
from protocol.device.commands import NEXT_MAX_US, OPEN, Command, CommandAck, CommandKey
from protocol.errors import Conflict, Unreadable, Unstorable, in_words
from protocol.problems.detail import Detail
from protocol.records import AckChange, Device, MqttLogin
from protocol.schedule.schedules import Occurrence, followed
from protocol.times import SECOND_US
from protocol.webhook.deliveries import news_of

OPEN_MAX = 1_000


class CommandTables(WebhookTables):
    """See `actors.ports.time.CommandStore`.

    Attributes:
        all_commands: every command by its user and id; `all_occurrences` by id.
    """

    _devices: dict[str, Device]
    _logins: dict[str, MqttLogin]  # by device id
    all_occurrences: dict[str, Occurrence]

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self.all_commands: dict[CommandKey, Command] = {}

    async def add_command(self, command: Command) -> Command:
        await self._cross()
        known = self.all_commands.get(command.key)
        if known is not None:
            if known.device_num != command.device_num:
                raise Conflict(Detail("id_used"))
            return known
        if command.device_id not in self._devices:
            raise Conflict(Detail("device_deleted"))
        mine = [c for c in self._open() if c.device_num == command.device_num]
        if len(mine) >= OPEN_MAX:
            raise Conflict(Detail("commands_full", most=OPEN_MAX))
        return self._insert_command(command)

    def _insert_command(self, command: Command) -> Command:
        command = msgspec.structs.replace(command, num=self._next("command"))
        self.all_commands[command.key] = command
        return command

    def _open(self) -> list[Command]:
        return [c for c in self.all_commands.values() if c.state in OPEN]

    async def command(self, user_id: str, command_id: str) -> Command | None:
        await self._cross()
        found: Command | None = self._one(
            "commands", self.all_commands.get((user_id, command_id)), user_id
        )
        return found

    async def cancel_command(self, user_id: str, command_id: str, now_us: int) -> Progress:
        await self._cross()
        known = self.all_commands.get((user_id, command_id))
        if known is None:
            return Progress()
        if known.state not in OPEN:
            raise Conflict(Detail("command_ended", state=known.state))
        ended = computed(_cancelled, self._as_far_as_readable(known), now_us)
        if isinstance(ended, Exception):
            raise Unstorable(in_words(ended))
        return self._settle([ended], now_us)

    async def claim_commands(self, now_us: int, limit: int) -> Claimed:
        await self._cross()
        due = sorted(
            (
                c
                for c in self._open()
                if c.next_try_us <= now_us or c.next_try_us > now_us + NEXT_MAX_US
            ),
            key=lambda c: (c.next_try_us, c.num),
        )
        first = [c for c in due if not c.attempts and c.next_try_us <= now_us]
        first = first[: commands.firsts_of(limit)]
        again = [c for c in due if c.attempts or c.next_try_us > now_us]
        due = first + again[: limit - len(first)]
        rest = (c for c in reversed(self.all_commands.values()) if c not in due)
        self._check_readable(
            [self._unread_command(c) for c in due], map(self._unread_command, rest)
        )
        send: list[Command] = []
        expired: list[Command] = []
        # All of them are judged by the state before.
        for command, blocked in [(c, self._is_blocked(c)) for c in due]:
            tried = self._try_command(command, blocked, now_us)
            if isinstance(tried, Exception):
                held_us = self._hold(
                    COMMANDS,
                    subject_of_command(command.key),
                    tried,
                    now_us,
                    command.user_id,
                    commands.AGAIN_MAX_S,
                )
                held = msgspec.structs.replace(command, next_try_us=held_us)
                self.all_commands[command.key] = held
                continue
            if tried.state == commands.EXPIRED:
                expired.append(tried)
                continue
            self.all_commands[tried.key] = tried
            if not blocked:
                send.append(tried)
        changed = self._settle(expired, now_us)
        next_us = min((c.next_try_us for c in self._open()), default=None)
        return Claimed(send=tuple(send), changed=changed, next_us=next_us)

    def _unread_command(self, command: Command) -> Unreadable | None:
        return self._unread(("commands", command.num))

    def _try_command(self, command: Command, blocked: bool, now_us: int) -> Command | Exception:
        """A command that fails still ends at its time, without its payload."""
        unread = self._unread_command(command)
        tried = computed(_tried, command, blocked, now_us) if unread is None else unread
        if not isinstance(tried, Exception) or command.expires_us > now_us:
            return tried
        ended = computed(_tried, _without_payload(command), blocked, now_us)
        return tried if isinstance(ended, Exception) else ended

    def _as_far_as_readable(self, command: Command) -> Command:
        return command if self._unread_command(command) is None else _without_payload(command)

    def _is_held(self, command: Command, now_us: int) -> bool:
        """Whether it was put aside, and its pause is not over."""
        letter = self.all_dead_letters.get((COMMANDS, subject_of_command(command.key)))
        longest_us = commands.AGAIN_MAX_S * SECOND_US
        return letter is not None and now_us < min(letter.next_try_us, letter.last_us + longest_us)

    def _is_blocked(self, command: Command) -> bool:
        return not command.parallel and any(
            c.device_num == command.device_num and c.num < command.num and not c.parallel
            for c in self._open()
            if (COMMANDS, subject_of_command(c.key)) not in self.all_dead_letters
        )

    def _due_again(self, work: str, subject: str, now_us: int) -> None:
        super()._due_again(work, subject, now_us)
        command = self.all_commands.get(command_key_of(subject))
        if work == COMMANDS and command is not None and command.next_try_us > now_us:
            self._try_at(command, now_us)

    def _is_gone(self, work: str, subject: str) -> bool:
        if work != COMMANDS:
            return super()._is_gone(work, subject)
        command = self.all_commands.get(command_key_of(subject))
        return command is None or command.state not in OPEN

    async def commands_sent(self, sent: Sequence[tuple[CommandKey, int]]) -> dict[CommandKey, int]:
        await self._cross()
        versions = {}
        for key, at_us in sent:
            command = self.all_commands.get(key)
            if command is not None and command.state == commands.QUEUED:
                noted = commands.noted_as_sent(command, at_us, command.version + 1)
                self.all_commands[key] = noted
                versions[key] = noted.version
            elif command is not None and (command.state, command.sent_us) == (commands.SENT, at_us):
                versions[key] = command.version  # the answer to this very note was lost
        return versions

    async def commands_unsent(self, again: Sequence[tuple[CommandKey, int]]) -> None:
        await self._cross()
        for key, next_us in again:
            command = self.all_commands.get(key)
            if command is not None and command.state in OPEN:
                self._try_at(command, next_us)

    async def nudge_commands(self, device_nums: Sequence[int], now_us: int) -> None:
        await self._cross()
        for command in self._open():
            waits = command.device_num in device_nums and command.next_try_us > now_us
            if waits and not self._is_held(command, now_us):
                self._try_at(command, now_us)

    def _try_at(self, command: Command, at_us: int) -> None:
        next_us = min(at_us, command.expires_us)
        self.all_commands[command.key] = msgspec.structs.replace(command, next_try_us=next_us)

    def _settle(self, changed: Sequence[Command], now_us: int) -> Progress:
        """Store changed commands, and what follows: occurrences, commands that waited for them, and
        events for webhooks."""
        for command in changed:
            payload = self.all_commands[command.key].payload  # is never written
            self.all_commands[command.key] = msgspec.structs.replace(command, payload=payload)
        over = {c.device_num for c in changed if c.state not in OPEN and not c.parallel}
        for command in self._open():
            waited = command.device_num in over and not command.attempts
            if waited and not self._is_held(command, now_us):
                self._try_at(command, now_us)
        occurrences = self._follow(changed)
        told = self._announce(now_us, commands=changed, occurrences=occurrences)
        return Progress(commands=tuple(changed), occurrences=occurrences, told=told)

    def _follow(self, changed: Sequence[Command]) -> tuple[Occurrence, ...]:
        if not changed:
            return ()
        by_key = {command.key: command for command in changed}
        occurrences = [
            followed(occurrence, by_key[key])
            for occurrence in self.all_occurrences.values()
            if (key := occurrence.command_key) in by_key
        ]
        for occurrence in occurrences:
            self.all_occurrences[occurrence.id] = occurrence
        return tuple(occurrences)

    def _check_acks(self, acks: Sequence[AckChange]) -> None:
        """Raises `Unstorable` if an answer cannot be applied to its command."""
        for ack in acks:
            mine = self.all_commands.get(ack.command_key)
            if mine is not None and mine.device_num == ack.device_num:
                changed = computed(_acked, self._as_far_as_readable(mine), ack.ack)
                if isinstance(changed, Exception):
                    raise Unstorable(in_words(changed))

    def _acknowledge(
        self, acks: Sequence[AckChange], *, done: bool
    ) -> tuple[Progress, tuple[AckChange, ...]]:
        """Devices' answers to commands; `done`: they were written before, and the answer was
        lost."""
        changed: dict[CommandKey, Command] = {}
        unknown = []
        for ack in acks:
            mine = changed.get(ack.command_key) or self.all_commands.get(ack.command_key)
            if mine is None or mine.device_num != ack.device_num:
                unknown.append(ack)
            else:
                mine = self._as_far_as_readable(mine)
                changed[mine.key] = mine if done else commands.acked(mine, ack.ack)
        if done:
            return Progress(commands=tuple(changed.values()), told=True), tuple(unknown)
        now_us = max((ack.otherwise.received_us for ack in acks), default=0)
        return self._settle(list(changed.values()), now_us), tuple(unknown)

    def _drop_commands(self, device_num: int) -> None:
        """The device is deleted."""
        for command in [c for c in self.all_commands.values() if c.device_num == device_num]:
            del self.all_commands[command.key]


def _without_payload(command: Command) -> Command:
    return msgspec.structs.replace(command, payload="null")


def _tried(command: Command, blocked: bool, now_us: int) -> Command:
    """Like `commands.tried`; the result can be encoded for all that are told."""
    tried = commands.tried(command, blocked=blocked, now_us=now_us)
    news_of(now_us, commands=[tried])
    return tried


def _acked(command: Command, ack: CommandAck) -> Command:
    """Like `commands.acked`; the result can be encoded for all that are told."""
    changed = commands.acked(command, ack)
    news_of(0, commands=[changed])
    return changed


def _cancelled(command: Command, now_us: int) -> Command:
    """Its user cancels it; the result can be encoded for all that are told."""
    ended = commands.ended(command, commands.CANCELLED, now_us, Detail("command_cancelled"))
    news_of(now_us, commands=[ended])
    return ended
