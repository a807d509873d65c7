"""What msgspec refuses is told without its types and patterns."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from protocol.codec import located
from protocol.device.feed_views import Key
from protocol.people.views import Email, Password
from protocol.rest.patterns import CODES
from protocol.rest.shapes import Name
from protocol.rest.wrong_shapes import shape_detail
from protocol.shop.views import Price
from tests.unit.site import Site


class Some(msgspec.Struct, forbid_unknown_fields=True):
    a: int


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (str, 1, "must be text"),
        (int, "x", "must be a whole number"),
        (int | None, 1.5, "must be a whole number"),
        (float | None, "x", "must be a number"),
        (bool, 1, "must be true or false"),
        (list[int], "x", "must be a list"),
        (dict[str, int], [], "must be an object"),
        (int, None, "must be a whole number"),
        (Password, "short", "must have at least 8 characters"),
        (Name, "", "must not be empty"),
        (Name, "x" * 201, "must have at most 200 characters"),
        (Name, "a\0b", "cannot contain control characters"),
        (Annotated[list[int], Meta(min_length=1)], [], "must not be empty"),
        (Annotated[list[int], Meta(min_length=2)], [1], "must have at least 2 entries"),
        (Annotated[list[int], Meta(max_length=1)], [1, 2], "must have at most 1 entries"),
        (Annotated[int, Meta(ge=1)], 0, "must be at least 1"),
        (Annotated[int, Meta(le=200_000)], 200_001, "must be at most 200,000"),
        (Annotated[float, Meta(gt=-0.5)], -1.0, "must be above -0.5"),
        (Annotated[float, Meta(lt=1e9)], 1e9, "must be below 1,000,000,000"),
        (Literal["a", "b"], "c\nd", "is not one of the allowed values"),
        (Email, "ada", "must be an email address"),
        (Key, "A b", "must be 1 to 64 lowercase letters, digits, hyphens and underscores"),
        (Price, "1.23456", "must be an amount such as 9.90, below a billion"),
        (Annotated[str, Meta(pattern="^x")], "y", "is not valid"),
        (Some, {}, "is required"),
        (Some, {"a": 1, "b": 2}, "is not a known field"),
        (tuple[int, int], [1, 2, 3], "is not valid"),
    ],
)
def test_a_refused_value_is_told_in_words(kind: Any, value: Any, text: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(value, kind)
    assert str(shape_detail(located(refused.value)[0])) == text


async def test_every_pattern_of_a_body_has_words(site: Site) -> None:
    answer = await site.raw("GET", "/openapi.json")
    document = await answer.get_json()
    found = set(patterns_of(document["components"]["schemas"]))
    of_links = {"^[0-9a-f]{16}$", "^[0-9a-f]{64}$"}  # which nobody types
    assert found - of_links == {pattern.replace(r"\Z", "$") for pattern in CODES}


def patterns_of(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["pattern"]] if isinstance(part.get("pattern"), str) else []
        return own + [each for value in part.values() for each in patterns_of(value)]
    if isinstance(part, list):
        return [each for value in part for each in patterns_of(value)]
    return []
