"""Requests that are safe to repeat, and changes that name the version they were made from.

* `Idempotency-Key`: the same key of the same user gives the same id, so an object is created once;
  the store checks for that id in the transaction that creates it.
* `ETag` and `If-Match` (RFC 9110 §13.1.1): a change of an object that has changed meanwhile is
  refused.
"""

import hashlib
import uuid

from werkzeug.http import parse_etags

from protocol.errors import Invalid, PreconditionFailed
from protocol.problems.detail import Detail
from web.http.context import Call

KEY_HEADER = "Idempotency-Key"
KEY_MAX = 255


def id_for(call: Call, what: str) -> str:
    """The id of the object that this request creates: a new one, or the one of its key.

    Args:
        what: the kind of object; one key may be used for one of each.

    Raises:
        Invalid: the key is empty or too long.
    """
    key = call.request.headers.get(KEY_HEADER)
    if key is None:
        return call.service.ids.uuid()
    if not 1 <= len(key) <= KEY_MAX:
        raise Invalid({KEY_HEADER: Detail("text_length", most=KEY_MAX)})
    name = "\0".join((what, call.user.id, key)).encode("utf-8", "surrogatepass")
    # A UUID with our own content (RFC 9562 §5.8).
    digest = hashlib.sha256(name).digest()[:16]
    return str(uuid.UUID(int=int.from_bytes(digest, "big") & _FREE | _VERSION_8))


_FREE = ~((0xF << 76) | (0x3 << 62)) & ((1 << 128) - 1)
_VERSION_8 = (0x8 << 76) | (0x2 << 62)


def used_otherwise() -> Invalid:
    """The key was sent before, with another request."""
    return Invalid({KEY_HEADER: Detail("key_reused")})


def tag(call: Call, version: int) -> None:
    """Set the ETag of this version."""
    call.headers["ETag"] = f'"{version}"'


def check_match(call: Call, version: int) -> None:
    """Called just before the change, after all other checks (RFC 9110 §13.2.1).

    Raises `PreconditionFailed` if the request names another version than this one."""
    wanted = call.request.headers.get("If-Match")
    if wanted is not None and not parse_etags(wanted).contains(str(version)):
        raise PreconditionFailed(Detail("changed_meanwhile"))
