"""How fast devices may send: nothing is refused that was sent at a pace that is allowed."""

import pytest

from actors.ingest.rates import FLOOD_S, KEYS_MAX, Key, Rates, RateSettings

PART = "roost-part-0"
SHED: Key = ("ada", "shed")
SMALL = RateSettings(
    device_per_s=10.0, device_burst=100.0, user_per_s=20.0, user_burst=200.0, retry_after_s=60.0
)


class Scene:
    """Buckets, and a canary at every second up to now."""

    def __init__(self, settings: RateSettings = SMALL) -> None:
        self.floods: list[tuple[Key, float]] = []
        self.rates = Rates(settings, [PART], lambda key, per_s: self.floods.append((key, per_s)))

    def send(
        self,
        many: int,
        at_s: float,
        device: Key = SHED,
        *,
        over_s: float = 0.0,
        canary: bool = True,
    ) -> int:
        """So many messages, evenly over so many seconds; how many are taken."""
        taken = 0
        for n in range(many):
            now_s = at_s + over_s * n / many
            if canary:
                self.rates.caught_up(PART, now_s)
            taken += not self.rates.judge(PART, device, now_s)
        return taken


def test_a_device_may_send_at_its_rate_for_ever_and_a_burst_at_once() -> None:
    scene = Scene()
    assert scene.send(10_000, 0.0, over_s=1_000.0) == 10_000
    assert scene.send(100, 1_000.0) == 100
    assert scene.send(100, 1_001.0) == 10


def test_what_is_above_the_rate_is_told_when_it_fits() -> None:
    scene = Scene()
    scene.send(100, 0.0)
    assert scene.rates.judge(PART, SHED, 0.0) == pytest.approx(0.1)
    assert scene.rates.judge(PART, SHED, 0.11) == 0.0


def test_one_device_leaves_another_of_its_user_its_share_and_other_users_all() -> None:
    scene = Scene()
    assert scene.send(1_000, 0.0) == 100
    assert scene.send(1_000, 0.0, ("ada", "barn")) == 100
    assert scene.send(1_000, 0.0, ("ada", "third")) == 0  # its user has had two hundred
    assert scene.send(1_000, 0.0, ("bob", "shed")) == 100


def test_what_waited_at_the_broker_is_not_refused_for_the_pace_at_which_it_arrives() -> None:
    """Ten minutes of a device at its rate come within two seconds."""
    scene = Scene()
    scene.rates.caught_up(PART, 0.0)
    assert scene.send(6_000, 600.0, over_s=2.0, canary=False) == 6_000
    assert scene.floods == []


def test_a_flood_is_not_hidden_by_what_waited() -> None:
    scene = Scene()
    scene.rates.caught_up(PART, 0.0)
    assert scene.send(60_000, 600.0, over_s=2.0, canary=False) < 6_200


def test_at_the_start_nothing_is_known_until_the_first_canary_came() -> None:
    """Whatever the broker kept while no process was there comes before it."""
    scene = Scene(RateSettings())
    assert scene.send(500_000, 1_000.0, over_s=20.0, canary=False) == 500_000
    assert scene.floods == []
    scene.rates.caught_up(PART, 1_000.0)
    assert scene.send(500_000, 1_020.0, over_s=20.0, canary=False) < 100_000
    assert [key for key, _ in scene.floods] == [SHED]


def test_a_flood_that_arrives_slowly_is_one_all_the_same() -> None:
    """On a machine that takes a thousand a second of it, it is measured by when the broker had the
    next canary. It was taken for a thousand a second."""
    scene = Scene(RateSettings())
    scene.rates.caught_up(PART, 0.0)
    scene.rates.is_there(PART, 5.0)
    scene.rates.is_there(PART, 10.0)
    assert scene.send(100_000, 0.0, over_s=50.0, canary=False) < 65_000
    assert [key for key, _ in scene.floods] == [SHED]


def test_a_canary_that_is_late_is_waited_for_with_the_next_one() -> None:
    scene = Scene()
    scene.rates.caught_up(PART, 0.0)
    scene.rates.is_there(PART, 5.0)
    scene.rates.caught_up(PART, 5.0, 10.0)
    scene.rates.caught_up(PART, 10.0)
    assert scene.send(10_000, 10.0, over_s=1_000.0, canary=False) == 10_000


def test_a_device_above_its_ceiling_for_five_seconds_is_a_flood_and_one_below_is_none() -> None:
    ceiling = 100
    scene = Scene()
    scene.send(int(0.95 * ceiling) * 100, 0.0, over_s=100.0)
    assert scene.floods == []
    scene = Scene()
    scene.send(int(1.2 * ceiling * 2 * FLOOD_S), 0.0, over_s=2 * FLOOD_S)
    ((device, per_s),) = scene.floods
    assert device == SHED and per_s >= ceiling


def test_a_flood_is_told_of_once_for_as_long_as_it_is_kept_out() -> None:
    scene = Scene()
    scene.send(30_000, 0.0, over_s=59.0)
    assert len(scene.floods) == 1
    scene.send(30_000, 60.0, over_s=59.0)
    assert len(scene.floods) == 2


def test_by_default_a_backlog_of_ten_thousand_at_once_is_taken_and_no_flood() -> None:
    scene = Scene(RateSettings())
    assert scene.send(10_000, 0.0, over_s=0.1) == 10_000
    assert scene.floods == []


def test_by_default_a_backlog_of_any_size_is_a_flood_before_any_of_it_is_refused() -> None:
    """It is disconnected, which is how a device is slowed down: what has no PUBACK it sends again.
    Twenty thousand a second are what a client with a usual window reaches on the same machine."""
    scene = Scene(RateSettings())
    at_s = 0.0
    left = 90_000
    while left:
        many, refused = 0, 0
        while len(scene.floods) == 0 and left:
            refused += scene.send(1, at_s + many / 20_000) == 0
            many, left = many + 1, left - 1
        # What the broker has taken by the time that it closes the connection.
        on_the_way = min(left, 2_000)
        refused += on_the_way - scene.send(on_the_way, at_s + many / 20_000)
        left -= on_the_way
        assert not refused
        scene.floods.clear()
        at_s += 61.0


def test_a_session_that_brings_no_canaries_counts_from_the_arrival() -> None:
    scene = Scene()
    taken = [scene.rates.judge("roost-wills", SHED, 0.0) for _ in range(200)]
    assert taken.count(0.0) == 100


def test_what_waited_in_one_session_is_not_measured_by_what_another_one_brings() -> None:
    """An hour's backlog of one partition, beside another that has caught up: all of it was refused,
    because a device of the same user had just said something."""
    rates = Rates(SMALL, [PART, "roost-part-1"], lambda key, per_s: None)
    for session in (PART, "roost-part-1"):
        rates.caught_up(session, 0.0)
        for at_s in (5.0, 3_600.0):
            rates.is_there(session, at_s)
    for sent_s, next_s in ((5.0, 3_600.0), (3_600.0, float("inf"))):
        rates.caught_up("roost-part-1", sent_s, next_s)
    assert rates.judge("roost-part-1", ("ada", "barn"), 3_600.0) == 0.0
    assert [rates.judge(PART, SHED, 3_600.0) for _ in range(50)] == [0.0] * 50
    for sent_s, next_s in ((5.0, 3_600.0), (3_600.0, float("inf"))):
        rates.caught_up(PART, sent_s, next_s)
    taken = [rates.judge(f"roost-part-{n % 2}", ("ada", f"{n}"), 3_600.0) for n in range(1_000)]
    assert taken.count(0.0) == 200  # nothing waits any more: all of them are one user's


def test_what_a_device_says_with_its_connect_is_not_before_what_waited_for_us() -> None:
    """It is not mapped, comes by a session of its own, and was sent just now."""
    floods: list[Key] = []
    rates = Rates(SMALL, [PART], lambda key, per_s: floods.append(key))
    rates.caught_up(PART, 0.0)
    for at_s in (600.0, 3_600.0):
        rates.is_there(PART, at_s)
    assert rates.judge("roost-wills", SHED, 3_600.0) == 0.0
    assert [rates.judge(PART, SHED, 3_600.0) for _ in range(6_000)] == [0.0] * 6_000
    assert not floods


def test_a_canary_that_is_not_known_any_more_is_not_waited_for() -> None:
    """Another process led meanwhile, and it came by that one's session."""
    scene = Scene()
    scene.rates.caught_up(PART, 0.0)
    scene.rates.is_there(PART, 5.0)
    scene.rates.forgot(PART)
    assert scene.send(6_000, 600.0, canary=False) == 6_000


def test_a_rate_may_be_above_the_ceiling_of_the_usual_ones() -> None:
    assert RateSettings().flood_per_s == 5_000
    assert RateSettings(device_per_s=20.0).flood_per_s == 200
    assert RateSettings(device_per_s=9_000.0).flood_per_s == 9_000


def test_so_many_devices_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.ingest.rates.KEYS_MAX", 10)
    scene = Scene()
    for n in range(100):
        scene.send(1, 0.0, (f"u{n}", "d"))
    assert len(scene.rates) == 10 < KEYS_MAX
