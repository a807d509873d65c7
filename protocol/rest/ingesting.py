"""What became of a message that a device posted over HTTP (CONTRACT §2)."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from protocol.problems.coded import code_of
from protocol.problems.detail import Value
from protocol.records import WHOLE, Rejection


class PostedReading(msgspec.Struct, frozen=True, kw_only=True):
    """A reading of the message, or a field of a status that was refused. `key` is "" where the
    message has none. `reason`, `detail`, `code` and `params` are those of the rejected message."""

    key: str
    outcome: Literal["stored", "refused"]
    reason: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    code: str | UnsetType | None = UNSET
    params: Mapping[str, Value] | UnsetType = UNSET


class IngestView(msgspec.Struct, frozen=True, kw_only=True):
    """`readings` has each in the order of the message; those that were `refused` are listed as
    rejected messages, too. `duplicate`: how many of the stored ones were stored before."""

    stored: int
    duplicate: int
    refused: int
    readings: list[PostedReading]


def ingest_view(keys: Sequence[str], rejections: Sequence[Rejection], duplicate: int) -> IngestView:
    """Args:
    keys: of the readings, in the order of the message.
    rejections: of some of them, or one of the whole message (`Rejection.at`).
    """
    by_place = {each.at: each for each in rejections}
    rest = by_place.get(WHOLE)
    if rest is not None and not keys:
        keys = [""]  # a status has no readings, and nothing of it was taken
    readings = [_posted(key, by_place.get(at, rest)) for at, key in enumerate(keys)]
    stored = sum(each.outcome == "stored" for each in readings)
    return IngestView(
        stored=stored, duplicate=duplicate, refused=len(readings) - stored, readings=readings
    )


def _posted(key: str, rejection: Rejection | None) -> PostedReading:
    if rejection is None:
        return PostedReading(key=key, outcome="stored")
    return PostedReading(
        key=key,
        outcome="refused",
        reason=rejection.reason,
        detail=rejection.detail,
        **code_of(rejection.coded),
    )
