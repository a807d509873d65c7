"""A view has what the record has, under the names that people see."""

import msgspec
import pytest

from protocol.views import given_in, view_of


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    num: int = 1
    name: str = "p"
    weight: int = 5
    sent_us: int | None = None
    made_us: int = 0


class ParcelView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    weight: str
    sent_at: str | None
    made_at: str
    is_late: bool = False


def test_fields_and_times_are_those_of_the_record_and_others_are_told() -> None:
    assert view_of(ParcelView, Parcel(), weight="5 kg") == ParcelView(
        name="p", weight="5 kg", sent_at=None, made_at="1970-01-01T00:00:00.000000Z"
    )
    late = view_of(ParcelView, Parcel(), weight="", is_late=True, made_at="never")
    assert (late.is_late, late.made_at) == (True, "never")


def test_a_field_that_nobody_knows_is_a_mistake() -> None:
    class Other(msgspec.Struct):
        colour: str

    with pytest.raises(TypeError, match="colour"):
        view_of(Other, Parcel())


def test_a_change_gives_what_was_sent_null_too() -> None:
    class Change(msgspec.Struct):
        name: str | msgspec.UnsetType = msgspec.UNSET
        unit: str | msgspec.UnsetType | None = msgspec.UNSET
        weight: int | msgspec.UnsetType = msgspec.UNSET

    assert given_in(Change(unit=None, weight=0)) == {"unit": None, "weight": 0}
