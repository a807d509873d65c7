"""Token buckets: they refill, and nobody empties somebody else's count."""

from typing import Any

import trio

from actors.runtime.buckets import Buckets


async def test_a_bucket_refills(autojump_clock: Any) -> None:
    buckets = Buckets(2, 10.0)
    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 10.0]
    await trio.sleep(10)
    assert (buckets.take("a"), round(buckets.take("a"))) == (0.0, 10)
    buckets.give_back("a")
    assert buckets.take("a") == 0.0


async def test_thousands_of_other_keys_empty_nobodys_count(autojump_clock: Any) -> None:
    """Ten thousand sign-ins with other names gave back all guesses at one account."""
    buckets = Buckets(10, 30.0, keys_max=100)
    for _ in range(10):
        buckets.take("ada")
    for n in range(1_000):
        buckets.take(f"other {n}")
    assert buckets.is_empty("ada")


async def test_it_keeps_no_more_than_so_many_keys(autojump_clock: Any) -> None:
    buckets = Buckets(10, 30.0, keys_max=100)
    for n in range(1_000):
        buckets.take(str(n))
    assert len(buckets) <= 100


async def test_a_key_that_is_full_again_takes_no_room(autojump_clock: Any) -> None:
    buckets = Buckets(10, 30.0)
    buckets.take("a")
    buckets.give_back("a")
    assert len(buckets) == 0
