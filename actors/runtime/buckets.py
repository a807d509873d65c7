"""How often something may be done: a bucket of tokens for each key.

wait_s = buckets.take("ada@example.org")      # 0.0: go on; otherwise come again then
buckets.give_back("ada@example.org")          # it does not count after all
"""

from collections import OrderedDict

import trio

ROUNDING_S = 1e-9  # of sums on a clock that may begin at a million seconds


class Buckets:
    """Each key has `size` tokens; one comes back every `every_s` seconds.

    At most `keys_max` keys are known; of more the one that was quiet for longest is forgotten,
    which only forgives.
    """

    def __init__(self, size: int, every_s: float, keys_max: int = 10_000) -> None:
        self._size = size
        self._every_s = every_s
        self._keys_max = keys_max
        self._full_at: OrderedDict[str, float] = OrderedDict()  # when it is full again

    def take(self, key: str, tokens: int = 1) -> float:
        """Take tokens; answers how many seconds are to be waited, and takes none then."""
        now_s = trio.current_time()
        full_at = max(now_s, self._full_at.get(key, now_s)) + tokens * self._every_s
        wait_s = full_at - now_s - self._size * self._every_s
        if wait_s > ROUNDING_S:
            return wait_s
        self._keep(key, full_at)
        return 0.0

    def reserve(self, key: str, wait_max_s: float) -> float:
        """Take the next token; answers after how many seconds it is there. Takes none where that is
        later than `wait_max_s`."""
        now_s = trio.current_time()
        full_at = max(now_s, self._full_at.get(key, now_s)) + self._every_s
        wait_s = full_at - now_s - self._size * self._every_s
        if wait_s <= wait_max_s:
            self._keep(key, full_at)
        return wait_s if wait_s > ROUNDING_S else 0.0

    def owe(self, key: str, tokens: int) -> None:
        """Take tokens whether they are there or not; what is missing comes back first."""
        if tokens:
            now_s = trio.current_time()
            self._keep(key, max(now_s, self._full_at.get(key, now_s)) + tokens * self._every_s)

    def _keep(self, key: str, full_at: float) -> None:
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._keys_max:
            self._full_at.popitem(last=False)

    def is_empty(self, key: str) -> bool:
        """Whether a token would have to be waited for."""
        return self.wait_s(key) > ROUNDING_S

    def wait_s(self, key: str) -> float:
        """How many seconds a token would have to be waited for."""
        now_s = trio.current_time()
        missing_s = self._full_at.get(key, now_s) + self._every_s - now_s
        return max(0.0, missing_s - self._size * self._every_s)

    def taken(self, key: str) -> float:
        """How many tokens are away."""
        now_s = trio.current_time()
        return max(0.0, self._full_at.get(key, now_s) - now_s) / self._every_s

    def give_back(self, key: str) -> None:
        if key in self._full_at:
            self._full_at[key] -= self._every_s
