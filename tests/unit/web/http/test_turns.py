"""Nobody's crowd keeps others from their turn."""

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from protocol.errors import Busy, TooMany
from web.http.turns import KNOWN_AHEAD, SERVED_EVERY_S, Turns

WORK_S = 0.3


class Crowd:
    """Many that want to be served; each takes `WORK_S`."""

    def __init__(self, **bounds: Any) -> None:
        usual = {"at_once": 1, "of_one_max": 2, "waiting_max": 64, "wait_s": 10.0}
        self.turns = Turns(**{**usual, **bounds})
        self.ended: dict[str, tuple[str, float]] = {}  # how, and how long it took
        self.order: list[str] = []
        self.most = 0
        self._working = 0

    async def come(self, name: str, who: str, *, is_known: bool = False) -> None:
        since_s = trio.current_time()
        how = "served"
        try:
            async with self.turns.turn(who, is_known=is_known):
                self._working += 1
                self.most = max(self.most, self._working)
                self.order.append(name)
                try:
                    await trio.sleep(WORK_S)
                finally:
                    self._working -= 1
        except (Busy, TooMany) as error:
            how = type(error).__name__ if error.retry_after_s else "refused for ever"
        self.ended[name] = how, trio.current_time() - since_s

    def took_s(self, name: str) -> float:
        how, took_s = self.ended[name]
        assert how == "served"
        return took_s

    def all_are(self, how: str, which: Callable[[str], bool]) -> bool:
        return all(said == how for name, (said, _) in self.ended.items() if which(name))


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def test_whoever_is_quiet_is_served_while_two_hundred_addresses_storm(
    autojump_clock: Any,
) -> None:
    crowd = Crowd()
    async with trio.open_nursery() as nursery:
        for n in range(200):
            nursery.start_soon(crowd.come, f"wrong {n}", f"10.0.0.{n}")
        await settled()
        nursery.start_soon(crowd.come, "ada", "203.0.113.9")
        await settled()
        # Others go on to come, but not faster than they are served.
        for n in range(20):
            await trio.sleep(WORK_S)
            nursery.start_soon(crowd.come, f"later {n}", f"10.0.1.{n}")
    assert crowd.took_s("ada") <= 2 * WORK_S + 0.01
    assert crowd.most == 1
    assert len(crowd.turns) == 0
    assert max(took_s for _, took_s in crowd.ended.values()) <= 10 + WORK_S


async def test_one_address_has_two_on_their_way_and_more_are_refused_at_once(
    autojump_clock: Any,
) -> None:
    crowd = Crowd()
    async with trio.open_nursery() as nursery:
        for n in range(48):
            nursery.start_soon(crowd.come, f"wrong {n}", "198.51.100.9")
        await settled()
        assert sum(how == "TooMany" for how, _ in crowd.ended.values()) == 46
        nursery.start_soon(crowd.come, "ada", "203.0.113.9")
    assert crowd.took_s("ada") <= 2 * WORK_S + 0.01
    await crowd.come("again", "198.51.100.9")  # a turn that is over counts no more
    assert crowd.took_s("again") == pytest.approx(WORK_S)


async def test_who_was_served_least_of_late_is_next(autojump_clock: Any) -> None:
    crowd = Crowd()
    for _ in range(3):
        await crowd.come("often", "10.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.come, "now", "10.0.0.2")
        await settled()
        crowd.order.clear()
        for name, who in (("rare", "10.0.0.3"), ("often", "10.0.0.1")):
            nursery.start_soon(crowd.come, name, who)
            await settled()
    assert crowd.order == ["rare", "often"]
    await trio.sleep(4 * SERVED_EVERY_S)  # forgotten: the newest is next
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.come, "now", "10.0.0.4")
        await settled()
        crowd.order.clear()
        for name, who in (("rare", "10.0.0.5"), ("often", "10.0.0.1")):
            nursery.start_soon(crowd.come, name, who)
            await settled()
    assert crowd.order == ["often", "rare"]


async def test_who_is_known_goes_before_strangers_that_come_faster_than_they_are_served(
    autojump_clock: Any,
) -> None:
    crowd = Crowd()
    async with trio.open_nursery() as nursery:

        async def storm() -> None:
            for n in range(1_000):
                nursery.start_soon(crowd.come, f"wrong {n}", f"10.0.0.{n}")
                await trio.sleep(0.01)

        nursery.start_soon(storm)
        await trio.sleep(1)
        for n in range(KNOWN_AHEAD):
            await crowd.come(f"ada {n}", "ada 203.0.113.9", is_known=True)
            assert crowd.took_s(f"ada {n}") <= 2 * WORK_S + 0.01
    assert any(how == "Busy" for how, _ in crowd.ended.values())


async def test_the_last_goes_when_too_many_wait(autojump_clock: Any) -> None:
    crowd = Crowd(waiting_max=2)
    async with trio.open_nursery() as nursery:
        for n in range(5):
            nursery.start_soon(crowd.come, str(n), f"10.0.0.{n}")
            await settled()
        assert {name: how for name, (how, _) in crowd.ended.items()} == {"1": "Busy", "2": "Busy"}
    assert crowd.order == ["0", "4", "3"]


@pytest.mark.parametrize("when_s", [0.0, 0.1, WORK_S, WORK_S + 0.1])
async def test_who_hangs_up_leaves_the_turn_to_others(autojump_clock: Any, when_s: float) -> None:
    crowd = Crowd()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.come, "first", "10.0.0.1")
        await settled()
        with trio.move_on_after(when_s):
            await crowd.come("gone", "10.0.0.2")
    await crowd.come("next", "10.0.0.2")
    assert crowd.took_s("next") == pytest.approx(WORK_S)
    assert len(crowd.turns) == 0


async def test_one_has_no_more_turns_at_once_than_her_share(autojump_clock: Any) -> None:
    crowd = Crowd(at_once=3, of_one_at_once=2, of_one_max=64)
    async with trio.open_nursery() as nursery:
        for n in range(10):
            nursery.start_soon(crowd.come, f"a{n}", "ada")
        await settled()
        assert crowd.most == 2
        nursery.start_soon(crowd.come, "b0", "bob")
        await settled()
        assert crowd.most == 3
    assert crowd.took_s("b0") == pytest.approx(WORK_S)
    assert crowd.all_are("served", lambda name: True)


async def test_who_gives_up_while_her_turn_comes_leaves_it_to_the_next(autojump_clock: Any) -> None:
    turns = Turns(at_once=1, of_one_at_once=1, of_one_max=9, waiting_max=9, wait_s=9)
    async with trio.open_nursery() as nursery:

        async def give_up(scope: trio.CancelScope) -> None:
            with scope:
                async with turns.turn("ada"):
                    await trio.sleep(5)

        scope = trio.CancelScope()
        async with turns.turn("ada"):
            nursery.start_soon(give_up, scope)
            await settled()
        scope.cancel()  # the turn was given in this very moment
    with trio.fail_after(1):
        async with turns.turn("ada"):
            pass
