"""The topic grammar: what is built is parsed, and any other text is refused and no more."""

from hypothesis import given
from hypothesis import strategies as st

from protocol.device.topics import (
    Kind,
    Topic,
    is_feed_key,
    parse_topic,
    partition,
    prefix,
    unmapped,
)
from protocol.errors import Reason, Refusal
from tests.property.outcomes import outcome
from tests.property.strategies import any_text, device_codes, feed_keys, uuids

command_ids = device_codes  # the same grammar
partitions = st.integers(1, 64)


@st.composite
def topics(draw: st.DrawFn) -> tuple[str, Topic]:
    """A topic that devices publish to, and what it says."""
    user, device = draw(uuids), draw(device_codes)
    key, command = draw(feed_keys), draw(command_ids)
    tail, kind, name = draw(
        st.sampled_from(
            [
                (f"feeds/{key}", Kind.READING, key),
                ("feeds", Kind.READINGS, ""),
                ("status", Kind.STATUS, ""),
                (f"commands/{command}/ack", Kind.ACK, command),
            ]
        )
    )
    is_urgent = kind in (Kind.STATUS, Kind.ACK)
    return f"{prefix(user, device)}/{tail}", Topic((user, device), kind, name, is_urgent)


# Texts that share most of their levels with a topic.
levels = st.sampled_from(["users", "devices", "feeds", "status", "commands", "ack", "part", "3"])
nearly_topics = st.lists(levels | device_codes | any_text, max_size=8).map("/".join)


@given(topics())
def test_a_topic_says_what_it_was_built_from(built: tuple[str, Topic]) -> None:
    text, topic = built
    assert parse_topic(text) == topic
    assert topic.device[0] == topic.user_id


@given(topics(), st.sampled_from(["part", "state"]), partitions)
def test_a_mapped_topic_is_the_same_topic(built: tuple[str, Topic], by: str, k: int) -> None:
    text, topic = built
    mapped = f"{by}/{k}/{text}"
    assert unmapped(mapped) == text
    assert unmapped(text) == text
    assert parse_topic(mapped) == topic


@given(any_text | nearly_topics | st.tuples(topics(), any_text).map(lambda t: t[0][0] + t[1]))
def test_any_text_is_a_topic_or_a_refusal(text: str) -> None:
    topic = outcome(Refusal, parse_topic, text)
    if isinstance(topic, Refusal):
        assert topic.reason == Reason.BAD_TOPIC
        return
    # Whatever was parsed lies in its device's own part of the topics.
    assert (unmapped(text) + "/").startswith(prefix(*topic.device) + "/")
    assert topic.kind is not Kind.READING or "/" not in topic.tail
    assert parse_topic(unmapped(text)) == topic


@given(any_text)
def test_a_feed_key_is_what_the_contract_says(text: str) -> None:
    letters = set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    assert is_feed_key(text) == (1 <= len(text) <= 64 and set(text) <= letters)


@given(uuids, device_codes, partitions)
def test_a_device_has_one_partition(user: str, device: str, count: int) -> None:
    k = partition(user, device, count)
    assert 0 <= k < count
    assert partition(user, device, count) == k
    # The digest does not hang on the number of partitions.
    assert k == partition(user, device, 2**32) % count
