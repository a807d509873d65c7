"""Rate limits: a token bucket for each key.

wait_s = buckets.take("ada@example.org")      # 0.0: go on; otherwise retry after that
buckets.give_back("ada@example.org")          # it does not count
"""

import trio

ROUNDING_S = 1e-9  # of sums on a clock that may start at a million seconds
FORGET = 8  # one in so many keys, when there is no room: sorting them all takes milliseconds


class Buckets:
    """Each key has `size` tokens; one is refilled every `every_s` seconds.

    At most `keys_max` keys are known. Beyond it those that are full again soonest are forgotten,
    which fills them. So nobody empties somebody else's count with thousands of other keys, each of
    which he would have to use as often.
    """

    def __init__(self, size: int, every_s: float, keys_max: int = 10_000) -> None:
        self._size = size
        self._every_s = every_s
        self._keys_max = keys_max
        self._full_at: dict[str, float] = {}  # when the bucket is full again

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str, tokens: int = 1) -> float:
        """Take tokens and return 0.0; if there are too few, return the seconds to wait and take
        none."""
        now_s = trio.current_time()
        full_at = max(now_s, self._full_at.get(key, now_s)) + tokens * self._every_s
        wait_s = full_at - now_s - self._size * self._every_s
        if wait_s > ROUNDING_S:
            return wait_s
        self._keep(key, full_at)
        return 0.0

    def reserve(self, key: str, wait_max_s: float) -> float:
        """Take the next token; return after how many seconds it is available. Take none if that is
        later than `wait_max_s`."""
        now_s = trio.current_time()
        full_at = max(now_s, self._full_at.get(key, now_s)) + self._every_s
        wait_s = full_at - now_s - self._size * self._every_s
        if wait_s <= wait_max_s:
            self._keep(key, full_at)
        return wait_s if wait_s > ROUNDING_S else 0.0

    def owe(self, key: str, tokens: int) -> None:
        """Take tokens even if there are too few; the missing ones are refilled first."""
        if tokens:
            now_s = trio.current_time()
            self._keep(key, max(now_s, self._full_at.get(key, now_s)) + tokens * self._every_s)

    def _keep(self, key: str, full_at: float) -> None:
        if key not in self._full_at and len(self._full_at) >= self._keys_max:
            fullest = sorted(self._full_at, key=self._full_at.__getitem__)
            for each in fullest[: max(1, self._keys_max // FORGET)]:
                del self._full_at[each]
        self._full_at[key] = full_at

    def is_empty(self, key: str) -> bool:
        """Whether a token is not available now."""
        return self.wait_s(key) > ROUNDING_S

    def wait_s(self, key: str) -> float:
        """In how many seconds a token is available."""
        now_s = trio.current_time()
        missing_s = self._full_at.get(key, now_s) + self._every_s - now_s
        return max(0.0, missing_s - self._size * self._every_s)

    def taken(self, key: str) -> float:
        """How many tokens are used."""
        now_s = trio.current_time()
        return max(0.0, self._full_at.get(key, now_s) - now_s) / self._every_s

    def give_back(self, key: str) -> None:
        full_at = self._full_at.get(key)
        if full_at is None:
            return
        full_at -= self._every_s
        if full_at > trio.current_time():
            self._full_at[key] = full_at
        else:
            del self._full_at[key]
