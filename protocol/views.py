"""REST views of records, and changes of them.

product = msgspec.structs.replace(product, **given_in(body))
return view_of(ProductView, product, price=money(product.price))
"""

from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from protocol.times import shown_us

V = TypeVar("V", bound=msgspec.Struct)


def view_of(kind: type[V], record: msgspec.Struct, **others: Any) -> V:
    """A view filled from a record, by equal names. A time `created_us` (µs) of the record becomes
    `created_at` (RFC 3339, or null) of the view.

    Args:
        others: fields that the record does not have, or that differ from it.
    """
    same, times = _names(kind, type(record), frozenset(others))
    values = {name: getattr(record, name) for name in same}
    for shown, name in times:
        values[shown] = shown_us(getattr(record, name))
    return kind(**values, **others)


def given_in(change: msgspec.Struct) -> dict[str, Any]:
    """The fields of a change that were sent, by their names."""
    return {k: v for k, v in msgspec.structs.asdict(change).items() if v is not UNSET}


@cache
def _names(
    kind: Any, record: Any, others: frozenset[str]
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The view's fields with equal names, and its times with the names of the record's fields."""
    there = set(record.__struct_fields__)
    wanted = [name for name in kind.__struct_fields__ if name not in others]
    times = {name: f"{name.removesuffix('_at')}_us" for name in wanted if name.endswith("_at")}
    return (
        tuple(name for name in wanted if name in there),
        tuple((shown, name) for shown, name in times.items() if name in there),
    )
