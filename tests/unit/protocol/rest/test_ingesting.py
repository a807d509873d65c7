"""The answer to a posted message says of each of its parts what became of it."""

from protocol.errors import Reason
from protocol.problems.detail import Detail
from protocol.records import WHOLE, Rejection
from protocol.rest.ingesting import ingest_view
from tests.unit.makers import DEVICE, NOW, USER


def refused(at: int) -> Rejection:
    detail = Detail("device_failing")
    return Rejection(
        USER,
        DEVICE,
        NOW,
        "t",
        "{}",
        "utf-8",
        Reason.INTERNAL_ERROR,
        str(detail),
        0,
        detail.coded,
        at,
    )


def outcomes(keys: list[str], *rejections: Rejection) -> list[tuple[str, str]]:
    return [(each.key, each.outcome) for each in ingest_view(keys, rejections, 0).readings]


def test_a_status_that_was_refused_as_a_whole_is_not_told_as_taken() -> None:
    assert outcomes([], refused(WHOLE)) == [("", "refused")]
    fields = ["latitude", "firmware"]
    assert outcomes(fields, refused(WHOLE)) == [("latitude", "refused"), ("firmware", "refused")]


def test_one_that_is_refused_alone_takes_no_other_along() -> None:
    assert outcomes(["a", "b"], refused(0)) == [("a", "refused"), ("b", "stored")]


def test_equal_details_are_one_in_a_set() -> None:
    details = {Detail("value_below", value=1, limit=2), Detail("value_below", limit=2, value=1)}
    assert len(details) == 1
