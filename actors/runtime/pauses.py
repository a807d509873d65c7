"""Pauses between tries: growing, capped and jittered, and short again after a steady run.

pauses = Pauses(rng, first_s=0.05, max_s=5.0)
await trio.sleep(pauses.next_s(ran_s))
"""

import random

# Who ran for so long before it failed begins with the first pause again.
STEADY_S = 60.0
DOUBLED_MAX = 20


class Pauses:
    """Of one thing that is tried again and again.

    Args:
        rng: for the jitter: each pause is between half of its length and all of it.
    """

    def __init__(self, rng: random.Random, *, first_s: float, max_s: float) -> None:
        self.failures = 0  # in a row
        self._rng = rng
        self._first_s = first_s
        self._max_s = max_s

    def next_s(self, ran_s: float) -> float:
        """The pause after one more failure; `ran_s`: how long the try went well before it."""
        self.failures = 1 if ran_s >= STEADY_S else self.failures + 1
        doubled = min(self.failures - 1, DOUBLED_MAX)
        most_s = min(self._max_s, self._first_s * 2.0**doubled)
        return most_s * (0.5 + self._rng.random() / 2)
