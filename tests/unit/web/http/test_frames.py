"""Frames that we write ourselves are what a client of the field reads."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import TextMessage

from web.http.frames import WRITE_MAX, portions, text_frame

EDGES = (0, 1, 125, 126, 127, 65_535, 65_536, 70_000)


def test_a_client_reads_messages_of_every_length_as_they_were() -> None:
    said = ["é" * (length // 2) + "x" * (length % 2) for length in EDGES]
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(b"".join(text_frame(each.encode()) for each in said))
    heard = list(client.events())
    assert all(isinstance(each, TextMessage) and each.message_finished for each in heard)
    assert [each.data for each in heard if isinstance(each, TextMessage)] == said


@given(st.lists(st.integers(0, 2 * WRITE_MAX), max_size=30))
def test_writes_are_bounded_and_have_everything_in_order(lengths: list[int]) -> None:
    messages = [bytes(length) for length in lengths]
    found = list(portions(messages))
    assert [each for some in found for each in some] == messages
    assert all(len(some) == 1 or sum(map(len, some)) <= WRITE_MAX for some in found)
    # No write is smaller than it has to be.
    for some, after in itertools.pairwise(found):
        assert sum(map(len, some)) + len(after[0]) > WRITE_MAX
