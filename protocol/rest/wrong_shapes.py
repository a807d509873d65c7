"""What msgspec says of a value in a body or a query, in words for people.

    shape_detail("Expected `str` of length >= 8")  # must have at least 8 characters

msgspec tells types of Python and regular expressions, which no reader of a form knows.
"""

import re
from collections.abc import Callable

from protocol.problems.detail import Detail, Value
from protocol.rest import patterns

_TYPES = {
    "str": "not_text",
    "int": "not_whole",
    "float": "not_number",
    "bool": "not_boolean",
    "array": "not_list",
    "object": "not_object",
}
_BY_PATTERN = {repr(pattern): code for pattern, code in patterns.CODES.items()}


def _type(found: re.Match[str]) -> Detail:
    # Of `int | float | null`, the last one that is not null accepts the others.
    wanted = [name for name in found["types"].split(" | ") if name in _TYPES]
    return Detail(_TYPES[wanted[-1]] if wanted else "not_valid")


def _length(found: re.Match[str]) -> Detail:
    is_text, length = found["type"] == "str", int(found["length"])
    if found["way"] == "<=":
        return Detail("text_too_long" if is_text else "list_too_long", most=length)
    if length == 1:
        return Detail("empty")
    return Detail("text_too_short" if is_text else "list_too_short", least=length)


def _bound(found: re.Match[str]) -> Detail:
    code, name = _BOUNDS[found["way"]]
    return Detail(code, **{name: _number(found["bound"])})


_BOUNDS = {
    ">=": ("too_small", "least"),
    "<=": ("too_large", "most"),
    ">": ("not_above", "bound"),
    "<": ("not_below", "bound"),
}


def _number(text: str) -> Value:
    number = float(text)
    return int(number) if number.is_integer() else number


_READ: list[tuple[re.Pattern[str], Callable[[re.Match[str]], Detail]]] = [
    (re.compile(r"Expected `(?P<types>[a-z |]+)`, got `.*`"), _type),
    (re.compile(r"Expected `(?P<type>\w+)` of length (?P<way>[<>]=) (?P<length>\d+)"), _length),
    (re.compile(r"Expected `\w+` (?P<way>[<>]=?) (?P<bound>[-+.e\d]+)"), _bound),
    (
        re.compile(r"Expected `str` matching regex (?P<regex>.*)", re.DOTALL),
        lambda found: Detail(_BY_PATTERN.get(found["regex"], "not_valid")),
    ),
    (re.compile(r"Invalid enum value .*", re.DOTALL), lambda _: Detail("not_choice")),
    (re.compile(r"Object missing required field `.*`"), lambda _: Detail("required")),
    (
        re.compile(r"Object contains unknown field `.*`", re.DOTALL),
        lambda _: Detail("unknown_field"),
    ),
    (re.compile(r".* out of range"), lambda _: Detail("out_of_range")),
]


def shape_detail(what: str) -> Detail:
    """Args:
    what: a message of msgspec, without the place that it ends with.
    """
    for pattern, read in _READ:
        found = pattern.fullmatch(what)
        if found is not None:
            return read(found)
    return Detail("not_valid")
