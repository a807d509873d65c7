"""One thing that is wrong or happened: a stable code and the values of its text.

    raise Conflict(Detail("in_stock", count=3, product="Lamp"))

Clients choose words in their reader's language by `code` and fill in `params`; `str()` is the
English text. A stored record keeps both: its `detail` is the text, its `coded` is that of this
(`protocol.problems.coded` reads it again). The codes are part of the API (`docs/problems.md`): a
code never changes its meaning.
"""

from typing import Final

import msgspec

from protocol.problems import messages, objects, outcomes, people, requests, schedules

Value = str | int | float

TEXTS: Final = (
    requests.TEXTS
    | people.TEXTS
    | objects.TEXTS
    | schedules.TEXTS
    | messages.TEXTS
    | outcomes.TEXTS
)

# Line 16382, but 131,072 bytes.
_GROUPED_FROM = 100_000
# From here on a number has more digits than it says something by.
_EXPONENT_FROM = 1e15


class Detail:
    """Args:
    code: a key of `TEXTS`.
    params: a value for each place of the text, fit to be shown: no name of the API.
    """

    __slots__ = ("code", "params")

    def __init__(self, code: str, /, **params: Value) -> None:
        self.code = code
        self.params = params

    def __str__(self) -> str:
        return TEXTS[self.code].format_map({k: _shown(v) for k, v in self.params.items()})

    def __repr__(self) -> str:
        return f"Detail({self.code!r}, {self.params!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Detail) and (self.code, self.params) == (other.code, other.params)

    def __hash__(self) -> int:
        return hash((self.code, frozenset(self.params.items())))

    @property
    def coded(self) -> str:
        """The code and the values as JSON, fit for any text column."""
        params = {k: storable(v) if isinstance(v, str) else v for k, v in self.params.items()}
        return msgspec.json.encode({"code": self.code, "params": params}).decode()


def storable(text: str) -> str:
    """The text with U+0000 and lone surrogates made visible, because no column and no JSON can hold
    them."""
    return text.replace("\0", "\\0").encode("utf-8", "replace").decode()


def _shown(value: Value) -> str:
    if isinstance(value, str):
        return value
    if abs(value) >= _EXPONENT_FROM or value != int(value):
        return f"{value:.10g}"
    return f"{int(value):,}" if abs(value) >= _GROUPED_FROM else str(int(value))
