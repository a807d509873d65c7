"""What is known of a session's messages (I1, I2): the cases that lose or double."""

import hashlib

from actors.ingest.arrivals import Arrival
from actors.ingest.digests import BROUGHT_AFTER_S
from actors.ingest.redelivery import SessionRedelivery, Verdict
from actors.ingest.suspects import SUSPICION_S
from protocol.records import SessionMemory

T = "users/u/devices/d/feeds/t"


def digest(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=16).digest()


NOTHING = SessionMemory()


def connected(memory: SessionMemory = NOTHING) -> SessionRedelivery:
    redelivery = SessionRedelivery("roost-part-0")
    redelivery.remember(memory)
    redelivery.connected(1, 0.0)
    return redelivery


def take(
    redelivery: SessionRedelivery,
    packet_id: int,
    payload: bytes,
    dup: bool = False,
    now_s: float = 1.0,
) -> Verdict | Arrival:
    """As the gateway does it."""
    connection = redelivery.connection
    arrival = Arrival(redelivery, connection, packet_id, dup, T, payload)
    verdict = redelivery.judge(arrival)
    if verdict is Verdict.TAKE:
        verdict = redelivery.judge_digest(arrival, digest(payload), now_s)
    if verdict is Verdict.ACKNOWLEDGE:
        redelivery.acknowledged(arrival)
    if verdict is Verdict.TAKE:
        redelivery.open(arrival, digest(payload), 0.0)
        return arrival
    return verdict


def opened(redelivery: SessionRedelivery, packet_id: int, payload: bytes, **how: object) -> Arrival:
    receipt = take(redelivery, packet_id, payload, **how)  # type: ignore[arg-type]
    assert isinstance(receipt, Arrival)
    return receipt


def test_a_message_is_acknowledged_once_after_its_commit() -> None:
    redelivery = connected()
    receipt = opened(redelivery, 1, b"a")
    assert redelivery.in_flight == 1
    assert redelivery.settle(7, [receipt]) == [1]
    assert redelivery.in_flight == 0
    assert redelivery.settle(8, [receipt]) == []


def test_a_redelivery_whose_first_copy_is_in_flight_joins_it() -> None:
    redelivery = connected()
    receipt = opened(redelivery, 1, b"a")
    assert take(redelivery, 1, b"a", dup=True) is Verdict.IGNORE
    assert redelivery.settle(7, [receipt]) == [1]


def test_a_redelivery_that_crossed_our_puback_is_not_acknowledged_again() -> None:
    """The broker may have given its packet id to another message, which would be lost."""
    redelivery = connected()
    redelivery.settle(7, [opened(redelivery, 1, b"a")])
    assert take(redelivery, 1, b"a", dup=True) is Verdict.IGNORE


def test_another_message_of_the_same_words_that_got_the_packet_id_is_taken() -> None:
    """Of identical messages that had been left, NATS sent one every five seconds, for ever, under
    the id of another one that was acknowledged (seed 1763)."""
    redelivery = connected()
    first = opened(redelivery, 1, b"a")
    redelivery.left(digest(b"a"), 1.0)
    redelivery.settle(7, [first])
    for now_s in (5.0, 10.0):  # the PUBACK may be on its way still
        assert take(redelivery, 1, b"a", dup=True, now_s=now_s) is Verdict.IGNORE
    redelivery.heard(1, 1, 12.0)
    assert take(redelivery, 1, b"a", dup=True, now_s=15.0) is Verdict.IGNORE  # it may have crossed
    again = opened(redelivery, 1, b"a", dup=True, now_s=LATER_S + 5)
    assert redelivery.settle(8, [again]) == [1]


def test_a_packet_id_that_came_round_is_not_known_by_its_dup_alone() -> None:
    """NATS gives ids anew after a restart, and sends what it had sent before with DUP."""
    redelivery = connected()
    redelivery.settle(7, [opened(redelivery, 1, b"a")])
    assert isinstance(take(redelivery, 1, b"b", dup=True), Arrival)


LATER_S = BROUGHT_AFTER_S + 1


def test_a_redelivery_that_crossed_our_puback_may_have_another_packet_id() -> None:
    """NATS frees the id with the PUBACK; PostgreSQL stood still for twenty seconds, and 12 of 1,274
    messages were stored twice."""
    redelivery = connected()
    redelivery.settle(7, [opened(redelivery, 1, b"a")])
    assert take(redelivery, 2, b"a", dup=True, now_s=LATER_S) is Verdict.ACKNOWLEDGE
    assert isinstance(take(redelivery, 3, b"b", dup=True, now_s=LATER_S), Arrival)
    assert isinstance(take(redelivery, 4, b"a", now_s=LATER_S), Arrival)  # said anew


def test_a_dup_may_be_new_where_the_broker_has_brought_its_first_copy_to_nobody() -> None:
    """I1 goes first: after a connection, after something was left, and of words that repeat."""
    redelivery = connected()
    redelivery.settle(7, [opened(redelivery, 1, b"a")])
    assert isinstance(take(redelivery, 2, b"a", dup=True, now_s=BROUGHT_AFTER_S - 1), Arrival)
    redelivery = connected()
    redelivery.settle(7, [opened(redelivery, 1, b"a")])
    redelivery.left(None, LATER_S)
    assert isinstance(take(redelivery, 2, b"a", dup=True, now_s=LATER_S + 1), Arrival)
    # However late the one that was left comes again.
    redelivery = connected()
    redelivery.settle(7, [opened(redelivery, 1, b"a")])
    redelivery.left(digest(b"a"), 100.0)
    assert isinstance(take(redelivery, 2, b"a", dup=True, now_s=1000.0), Arrival)
    redelivery = connected()
    redelivery.settle(7, [opened(redelivery, 1, b"a"), opened(redelivery, 2, b"a")])
    assert isinstance(take(redelivery, 3, b"a", dup=True, now_s=LATER_S), Arrival)
    redelivery = connected()
    redelivery.settle(7, [opened(redelivery, 1, b"a")])
    redelivery.connected(2, 100.0)
    assert isinstance(
        take(redelivery, 3, b"a", dup=True, now_s=100.0 + LATER_S + SUSPICION_S), Arrival
    )


def test_a_copy_under_another_id_is_not_acknowledged_before_the_first_is_stored() -> None:
    redelivery = connected()
    opened(redelivery, 1, b"a")
    assert take(redelivery, 2, b"a", dup=True, now_s=LATER_S) is not Verdict.ACKNOWLEDGE


def test_what_came_again_is_in_doubt_until_its_second_puback_was_heard() -> None:
    """The PUBACK of a later commit was heard, this one was lost: the next process took it anew."""
    redelivery = connected()
    first = opened(redelivery, 1, b"a")
    redelivery.connected(2, 10.0)
    assert redelivery.settle(8, [first]) == []
    second = opened(redelivery, 2, b"b", now_s=11.0)
    assert redelivery.settle(9, [second]) == [2]
    assert take(redelivery, 1, b"a", dup=True, now_s=11.0) is Verdict.ACKNOWLEDGE
    assert redelivery.heard(2, 1, 12.0) is None  # of two PUBACKs only the first
    assert take(redelivery, 1, b"a", dup=True, now_s=12.0) is Verdict.IGNORE
    assert isinstance(take(redelivery, 3, b"a", now_s=12.0), Arrival)  # said anew
    assert redelivery.heard(2, 3, 13.0) == 9


def test_what_was_left_for_want_of_room_is_no_repeat_when_it_comes_again() -> None:
    redelivery = connected()
    redelivery.forget(opened(redelivery, 1, b"a"))
    first = opened(redelivery, 1, b"a", dup=True)
    redelivery.connected(2, 10.0)
    assert redelivery.settle(7, [first]) == []
    assert take(redelivery, 1, b"a", dup=True, now_s=11.0) is Verdict.ACKNOWLEDGE


def test_the_same_packet_id_without_dup_is_another_message() -> None:
    redelivery = connected()
    redelivery.settle(7, [opened(redelivery, 1, b"a")])
    assert isinstance(take(redelivery, 1, b"a"), Arrival)


def test_after_a_reconnection_the_acknowledgement_goes_out_on_the_new_connection() -> None:
    redelivery = connected()
    receipt = opened(redelivery, 1, b"a")
    redelivery.connected(2, 10.0)
    assert take(redelivery, 1, b"a", dup=True, now_s=11.0) is Verdict.IGNORE
    assert receipt.connection == 2
    assert redelivery.settle(7, [receipt]) == [1]


def test_no_puback_for_a_packet_id_of_an_earlier_connection() -> None:
    redelivery = connected()
    receipt = opened(redelivery, 1, b"a")
    redelivery.connected(2, 10.0)
    other = opened(redelivery, 1, b"b", now_s=11.0)  # the id is another message now
    assert redelivery.settle(7, [receipt]) == []
    assert redelivery.settle(8, [other]) == [1]


def test_a_message_in_flight_is_known_by_digest_when_the_broker_changed_its_id() -> None:
    redelivery = connected()
    receipt = opened(redelivery, 9, b"a")
    redelivery.connected(2, 10.0)
    assert take(redelivery, 1, b"a", now_s=11.0) is Verdict.IGNORE
    assert redelivery.settle(7, [receipt]) == [1]


def test_a_commit_whose_puback_was_lost_is_known_by_digest_whatever_dup_says() -> None:
    redelivery = connected()
    redelivery.settle(7, [opened(redelivery, 9, b"a")])
    redelivery.connected(2, 10.0)
    assert take(redelivery, 1, b"a", now_s=11.0) is Verdict.ACKNOWLEDGE
    # Known once: the next of the same words is a new message.
    assert isinstance(take(redelivery, 2, b"a", now_s=12.0), Arrival)


def test_a_commit_that_ends_after_the_reconnection_is_known_too() -> None:
    redelivery = connected()
    receipt = opened(redelivery, 9, b"a")
    redelivery.connected(2, 10.0)
    assert redelivery.settle(7, [receipt]) == []  # no connection of its own any more
    assert take(redelivery, 1, b"a", now_s=11.0) is Verdict.ACKNOWLEDGE


def test_what_an_earlier_process_left_in_doubt_is_known() -> None:
    redelivery = connected(SessionMemory(suspects=(digest(b"a"),)))
    assert take(redelivery, 1, b"a") is Verdict.ACKNOWLEDGE


def test_a_repeated_payload_is_ambiguous_and_taken_again_rather_than_lost() -> None:
    redelivery = connected(SessionMemory(suspects=(digest(b"a"),), known=(digest(b"a"),)))
    assert isinstance(take(redelivery, 1, b"a"), Arrival)
    assert redelivery.repeats == 1


def test_after_half_a_minute_a_known_payload_is_a_new_message() -> None:
    redelivery = connected(SessionMemory(suspects=(digest(b"a"),)))
    assert isinstance(take(redelivery, 1, b"a", now_s=SUSPICION_S + 1), Arrival)


def test_what_waited_longer_for_the_database_than_suspicion_lasts_is_known_all_the_same() -> None:
    """The connection ended during an outage of minutes, and the broker, whose window was full,
    sent the message again only when others were acknowledged: it was stored twice."""
    redelivery = connected()
    receipt = opened(redelivery, 1, b"a")
    redelivery.connected(2, 10.0)
    long_after_s = 10.0 + 4 * SUSPICION_S
    assert isinstance(take(redelivery, 1, b"b", now_s=long_after_s), Arrival)
    assert redelivery.settle(7, [receipt], long_after_s) == []
    assert take(redelivery, 2, b"a", dup=True, now_s=long_after_s + 5) is Verdict.ACKNOWLEDGE


def test_what_is_still_in_flight_since_an_earlier_connection_is_known_however_late_it_comes() -> (
    None
):
    redelivery = connected()
    receipt = opened(redelivery, 1, b"a")
    redelivery.connected(2, 10.0)
    long_after_s = 10.0 + 4 * SUSPICION_S
    assert take(redelivery, 2, b"a", dup=True, now_s=long_after_s) is Verdict.IGNORE
    assert redelivery.settle(7, [receipt], long_after_s) == [2]


def test_what_the_broker_heard_is_beyond_doubt() -> None:
    redelivery = connected()
    redelivery.settle(7, [opened(redelivery, 1, b"a")])
    redelivery.settle(8, [opened(redelivery, 2, b"b")])
    assert redelivery.heard(1, 1, 2.0) == 7
    assert redelivery.heard(1, 1, 2.0) is None
    redelivery.connected(2, 10.0)
    assert isinstance(take(redelivery, 1, b"a", now_s=11.0), Arrival)
    assert take(redelivery, 2, b"b", now_s=11.0) is Verdict.ACKNOWLEDGE


def test_nothing_is_confirmed_while_an_earlier_connection_is_in_doubt() -> None:
    redelivery = connected()
    redelivery.settle(7, [opened(redelivery, 1, b"a")])
    redelivery.connected(2, 10.0)
    redelivery.settle(8, [opened(redelivery, 1, b"b", now_s=11.0)])
    assert redelivery.heard(2, 1, 12.0) is None
    assert redelivery.heard(2, 1, 10.0 + SUSPICION_S + 1) == 8


def test_news_of_an_earlier_connection_counts_no_more() -> None:
    redelivery = connected()
    redelivery.settle(7, [opened(redelivery, 1, b"a")])
    redelivery.connected(2, 10.0)
    assert redelivery.heard(1, 1, 60.0) is None


def test_a_message_without_room_is_left_to_the_broker() -> None:
    redelivery = connected()
    redelivery.forget(opened(redelivery, 1, b"a"))
    assert redelivery.in_flight == 0
    assert isinstance(take(redelivery, 1, b"a", dup=True), Arrival)


def test_a_packet_id_that_came_round_again_and_was_left_untaken_is_not_done() -> None:
    redelivery = connected()
    redelivery.settle(7, [opened(redelivery, 1, b"a")])
    redelivery.forget(
        opened(redelivery, 1, b"b")
    )  # 65,535 messages later; there was no room for it
    assert isinstance(take(redelivery, 1, b"b", dup=True), Arrival)
