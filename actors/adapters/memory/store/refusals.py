"""Refusals in the store's twin: kept, counted, deleted."""

from collections.abc import Iterable

from actors.adapters.memory.store.tables import Tables
from actors.runtime.clock import WallClock
from protocol.device.refusals import REFUSAL_ROW_BYTES, NotKept, StoredRejection
from protocol.records import AckChange, Rejection, WriteUnit


class RefusalTables(Tables):
    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self._rejections: list[tuple[str, StoredRejection]] = []  # each with its user
        self._not_kept: dict[tuple[str, str], NotKept] = {}

    def _store_rejection(self, rejection: Rejection) -> None:
        num = self._next("rejection")
        stored = StoredRejection(
            num=num,
            id=f"00000000-0000-4000-8000-{num:012x}",
            received_us=rejection.received_us,
            topic=rejection.topic,
            payload=rejection.payload,
            encoding=rejection.encoding,
            reason=rejection.reason,
            detail=rejection.detail,
            coded=rejection.coded,
            device_id=rejection.device_id or None,
        )
        self._rejections.append((rejection.user_id, stored))

    def _refuse(self, unit: WriteUnit) -> list[Rejection]:
        """The refusals of copies that were not listed before."""
        listed = []
        for rejection in unit.rejections:
            if not (unit.is_copy and self._is_listed(rejection)):
                self._store_rejection(rejection)
                listed += [rejection] if unit.is_copy else []
        for rejection in unit.not_kept:
            self._count(unit.device, rejection)
        return listed

    def _is_listed(self, new: Rejection) -> bool:
        said = new.topic, new.payload, new.encoding, new.reason
        return any(
            said == (each.topic, each.payload, each.encoding, each.reason)
            for _, each in self._refused_of(new.user_id)
        )

    def _refuse_acks(self, unknown: Iterable[AckChange]) -> None:
        for ack in unknown:
            if ack.keeps:
                self._store_rejection(ack.otherwise)
            else:
                self._count(ack.device, ack.otherwise)

    def _count(self, key: tuple[str, str], rejection: Rejection) -> None:
        known = self._not_kept.get(key, NotKept())
        last_us = max(rejection.received_us, known.last_us or rejection.received_us)
        self._not_kept[key] = NotKept(known.many + 1, last_us)

    async def not_kept(self, user_id: str, device_code: str) -> NotKept:
        await self._cross()
        return self._not_kept.get((user_id, device_code), NotKept())

    async def delete_rejection(self, user_id: str, rejection_id: str) -> bool:
        await self._cross()
        return bool(
            self._drop([each for _, each in self._refused_of(user_id) if each.id == rejection_id])
        )

    async def delete_rejections(
        self,
        user_id: str,
        device_id: str | None = None,
        reason: str | None = None,
        before_us: int | None = None,
    ) -> int:
        await self._cross()
        return self._drop(
            [
                each
                for _, each in self._refused_of(user_id)
                if device_id in (None, each.device_id)
                and reason in (None, each.reason)
                and (before_us is None or each.received_us < before_us)
            ]
        )

    async def trim_rejections(self, many: int, size: int) -> int:
        await self._cross()
        beyond: list[StoredRejection] = []
        for user_id in sorted({owner for owner, _ in self._rejections}):
            total = 0
            for count, (_, each) in enumerate(reversed(self._refused_of(user_id)), 1):
                texts = (each.topic, each.payload, each.detail, each.coded or "")
                total += REFUSAL_ROW_BYTES + sum(len(text.encode()) for text in texts)
                if count > many or total > size:
                    beyond.append(each)
        return self._drop(beyond)

    def _refused_of(self, user_id: str) -> list[tuple[str, StoredRejection]]:
        return [(owner, each) for owner, each in self._rejections if owner == user_id]

    def _drop(self, gone: list[StoredRejection]) -> int:
        nums = {each.num for each in gone}
        self._rejections[:] = [row for row in self._rejections if row[1].num not in nums]
        return len(nums)
