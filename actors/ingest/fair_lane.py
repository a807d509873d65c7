"""A lane that serves its keys in turns: an item waits behind items of its own key only.

    lane = FairLane(120_000, key=lambda unit: unit.device, size=lambda unit: unit.rows)
    lane.put(unit)
    lane.take(5_000)        # rows, in turns: one device gets at most a share

Items of one key keep their order.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import TypeVar

import trio

from actors.runtime.mailbox import Lane

T = TypeVar("T")


class FairLane(Lane[T]):
    """The bound is a number of items; a full lane raises `trio.WouldBlock`.

    Args:
        key: returns the key whose turn an item takes.
        size: returns what an item counts for in `take`; at least 1.
        share: how much of one key is taken at once; a larger item is taken alone.
    """

    def __init__(
        self, bound: int, key: Callable[[T], Hashable], size: Callable[[T], int], share: int
    ) -> None:
        super().__init__(bound)
        self._key_of = key
        self._size = size
        self._share = share
        self._many = 0
        self._waiting: OrderedDict[Hashable, deque[T]] = OrderedDict()  # the next key comes first

    def __len__(self) -> int:
        return self._many

    @property
    def is_full(self) -> bool:
        return self._many >= self.bound

    def put(self, item: T) -> None:
        if self._many >= self.bound:
            raise trio.WouldBlock
        key = self._key_of(item)
        mine = self._waiting.get(key)
        if mine is None:
            mine = self._waiting[key] = deque()
        mine.append(item)
        self._many += 1
        self._put += 1

    def take(self, most: int) -> list[T]:
        """Items of at most this size in all, or one item."""
        taken: list[T] = []
        room = most
        for _ in range(len(self._waiting)):
            key, mine = next(iter(self._waiting.items()))
            had = 0
            while mine:
                size = max(1, self._size(mine[0]))
                if taken and size > room:
                    return self._took(taken)  # the key keeps its turn for the next call
                if had and had + size > self._share:
                    break
                taken.append(mine.popleft())
                had += size
                room -= size
            self._waiting.move_to_end(key)
            if not mine:
                del self._waiting[key]
        return self._took(taken)

    def _took(self, taken: list[T]) -> list[T]:
        self._many -= len(taken)
        return taken
