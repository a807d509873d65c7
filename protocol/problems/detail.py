"""One thing that is wrong: a stable code and the values of its text.

    raise Conflict(Detail("in_stock", count=3, product="Lamp"))

Clients choose words in their reader's language by `code` and fill in `params`; `str()` is the
English text. The codes are part of the API (`docs/problems.md`): a code never changes its meaning.
"""

from typing import Final

from protocol.problems import objects, people, requests, schedules

Value = str | int | float

TEXTS: Final = requests.TEXTS | people.TEXTS | objects.TEXTS | schedules.TEXTS

# Line 16382, but 131,072 bytes.
_GROUPED_FROM = 100_000


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


def _shown(value: Value) -> str:
    if isinstance(value, str):
        return value
    whole = int(value) if value == int(value) else value
    return f"{whole:,}" if abs(whole) >= _GROUPED_FROM else str(whole)
