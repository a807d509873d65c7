"""How many refusals are kept, of a device and of all devices of a user.

    unit = budget.judged(unit)        # on its way to the writer
    budget.committed(committed.unknown)

Without a budget each refused message writes a row: one sender caused 70 GB an hour. Beyond the
budget a refusal is counted with its device in the commit that carries it (`WriteUnit.not_kept`),
and reported to the device like any other. A message is kept whole while its device and user are not
in debt. So a message with five hundred refused readings may overdraw the budget, which is then
refilled first.
"""

from collections.abc import Iterable

import msgspec

from actors.runtime.buckets import Buckets
from protocol.device.refusals import REFUSAL_ROW_BYTES
from protocol.records import AckChange, Rejection, WriteUnit

HOUR_S = 3600.0
# A device that sends wrong messages each second shows what is wrong within minutes.
DEVICE_PER_HOUR = 1_000
DEVICE_BYTES_PER_HOUR = 4 << 20
USER_PER_HOUR = 10_000
USER_BYTES_PER_HOUR = 40 << 20
# Per user, in the store; the excess is deleted hourly, the oldest first.
KEPT_MAX = 100_000
KEPT_BYTES_MAX = 256 << 20
# Budgets in memory. Beyond it those that are full again soonest are dropped.
KEYS_MAX = 100_000


class RefusalLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many refusals are kept, in number and in bytes: a budget that is full at the start and
    refilled over an hour, and a total per user."""

    device_per_hour: int
    device_bytes_per_hour: int
    user_per_hour: int
    user_bytes_per_hour: int
    kept_max: int
    kept_bytes_max: int

    @classmethod
    def usual(cls) -> "RefusalLimits":
        return cls(
            device_per_hour=DEVICE_PER_HOUR,
            device_bytes_per_hour=DEVICE_BYTES_PER_HOUR,
            user_per_hour=USER_PER_HOUR,
            user_bytes_per_hour=USER_BYTES_PER_HOUR,
            kept_max=KEPT_MAX,
            kept_bytes_max=KEPT_BYTES_MAX,
        )


class RefusalBudget:
    """Buckets that can be overdrawn. In the memory of this process; they outlive devices' actors.

    Attributes:
        not_kept: how many refusals were only counted, and are committed as counts.
    """

    def __init__(self, limits: RefusalLimits) -> None:
        self.limits = limits
        self.not_kept = 0
        self._device = _Both(limits.device_per_hour, limits.device_bytes_per_hour)
        self._user = _Both(limits.user_per_hour, limits.user_bytes_per_hour)

    def judged(self, unit: WriteUnit) -> WriteUnit:
        """The unit with the refusals that may be kept; the others are only counted."""
        if not (unit.rejections or unit.acks):
            return unit
        device, user = _names(unit.device)
        if self._device.is_empty(device) or self._user.is_empty(user):
            acks = tuple(msgspec.structs.replace(ack, keeps=False) for ack in unit.acks)
            not_kept = (*unit.not_kept, *unit.rejections)
            return msgspec.structs.replace(unit, rejections=(), not_kept=not_kept, acks=acks)
        self._owe(unit.device, unit.rejections)
        return unit

    def committed(self, units: Iterable[WriteUnit], unknown: Iterable[AckChange]) -> None:
        """Charge answers to unknown commands, which are known as such only after the commit."""
        self.not_kept += sum(len(unit.not_kept) for unit in units)
        for ack in unknown:
            if ack.keeps:
                self._owe(ack.device, (ack.otherwise,))
            else:
                self.not_kept += 1

    def _owe(self, key: tuple[str, str], rejections: Iterable[Rejection]) -> None:
        costs = [cost_of(each) for each in rejections]
        for both, name in zip((self._device, self._user), _names(key), strict=True):
            both.owe(name, len(costs), sum(costs))


def cost_of(rejection: Rejection) -> int:
    """About how many bytes it takes in the store."""
    texts = (rejection.topic, rejection.payload, rejection.detail, rejection.coded or "")
    return REFUSAL_ROW_BYTES + sum(len(text.encode("utf-8", "replace")) for text in texts)


def _names(key: tuple[str, str]) -> tuple[str, str]:
    return f"{key[0]}/{key[1]}", key[0]


class _Both:
    """A number and bytes, per hour."""

    def __init__(self, many: int, size: int) -> None:
        self._many = Buckets(many, HOUR_S / many, KEYS_MAX)
        self._bytes = Buckets(size, HOUR_S / size, KEYS_MAX)

    def is_empty(self, name: str) -> bool:
        return self._many.is_empty(name) or self._bytes.is_empty(name)

    def owe(self, name: str, many: int, size: int) -> None:
        if many:
            self._many.owe(name, many)
            self._bytes.owe(name, size)
