"""The code of a record's text, as it is stored (`Detail.coded`) and as it is shown.

class AlarmView(CodedView, frozen=True, kw_only=True): ...
return view_of(AlarmView, alarm, **code_of(alarm.coded))
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from protocol.problems.detail import Value


class CodedView(msgspec.Struct, frozen=True, kw_only=True):
    """`code` and `params` say the same as `detail`, for words in any language; null: the text is
    empty, or in the words of others. The codes are listed in docs/problems.md."""

    code: str | None = None
    params: Mapping[str, Value] = {}


_decoder = msgspec.json.Decoder(CodedView)


def code_of(coded: str | None) -> dict[str, Any]:
    """The fields of a `CodedView`. A stored code that nobody can read is none: the text stays."""
    try:
        found = _decoder.decode(coded) if coded else CodedView()
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = CodedView()
    return {"code": found.code, "params": found.params}
