"""An operation: its route, and its description for the OpenAPI document.

Its body, its authentication, its answer and its preconditions are values:

    Operation(
        method="PATCH",
        path="/feeds/<feed_id>",
        handler=change_feed,
        body=Json(FeedChange),
        answer=Json(FeedView),
        condition=Condition.REVISION,
        errors=(404,),
    )
"""

from enum import Enum, auto
from typing import Any, TypeAlias

import msgspec


class Json(msgspec.Struct, frozen=True):
    """JSON of that type. A handler gets such a body decoded."""

    shape: Any


class Form(msgspec.Struct, frozen=True):
    """JSON of that type, or a form with the same fields; the handler decodes it."""

    shape: Any


class Csv(msgspec.Struct, frozen=True):
    """`text/csv`; the handler decodes it."""

    example: str


class Raw(msgspec.Struct, frozen=True):
    """Whatever a device would publish, JSON or not; the handler reads it."""

    example: Any


class Upload(msgspec.Struct, frozen=True):
    """Multipart with one part `file`; the handler reads it at its own pace."""


Body: TypeAlias = Json | Form | Csv | Raw | Upload


class Streamed(msgspec.Struct, frozen=True):
    """JSON of that type; CSV or lines of JSON if the client accepts that."""

    shape: Any


class CsvFile(msgspec.Struct, frozen=True):
    """A CSV file."""


class ZipFile(msgspec.Struct, frozen=True):
    """A ZIP file."""


class Content(msgspec.Struct, frozen=True):
    """The content of a file: whole, in part, or not modified."""


Answer: TypeAlias = Json | Streamed | CsvFile | ZipFile | Content


class Auth(Enum):
    """Who may call it.

    SESSION: a signed-in user; it is about the account itself, and not for API keys.
    KEY: also an API key whose scope allows it.
    LINK: also a link with a `signature`, which the handler verifies.
    DEVICE: a device, with its own login (`web.http.device_auth`).
    PUBLIC: anybody.
    """

    SESSION = auto()
    KEY = auto()
    LINK = auto()
    DEVICE = auto()
    PUBLIC = auto()


class Condition(Enum):
    """What makes a request safe to repeat, or binds a change to the version that the client has
    read.

    AGAIN: it takes an `Idempotency-Key`.
    REVISION: its answer has an `ETag`; a change takes an `If-Match`.
    """

    AGAIN = auto()
    REVISION = auto()


# The code of a second factor, in requests that ask for it again.
CODE_HEADER = "X-Second-Factor"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A route and its description.

    Attributes:
        query: the type of its query.
        also: other success statuses with the same answer.
        errors: statuses of errors, beside those that follow from the rest.
        asks_code: it may ask for the code of a second factor (`web.people.codes`).
    """

    method: str
    path: str
    handler: Any
    auth: Auth = Auth.KEY
    query: Any = None
    body: Body | None = None
    answer: Answer | None = None
    status: int = 200
    also: tuple[int, ...] = ()
    errors: tuple[int, ...] = ()
    condition: Condition | None = None
    asks_code: bool = False
    tag: str = ""

    @property
    def name(self) -> str:
        """Its name in the API's document, and in the metrics."""
        return str(self.handler.__name__)

    @property
    def adds(self) -> bool:
        """Whether it stores something new, which is refused on a full disk."""
        match self.body:
            case Csv() | Raw() | Upload():
                return True
            case Json() | Form():
                return self.status == 201
        return False

    @property
    def reads_its_body(self) -> bool:
        """Whether the handler reads the body itself, and may be cancelled when the client hangs
        up."""
        return isinstance(self.body, Form | Upload)

    @property
    def takes_if_match(self) -> bool:
        return self.condition is Condition.REVISION and self.method == "PATCH"

    @property
    def summary(self) -> str:
        return (self.handler.__doc__ or "").strip().partition("\n")[0]
