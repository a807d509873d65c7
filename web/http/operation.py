"""What an operation is: its route, and what the OpenAPI document says of it.

What it takes, who may ask, what it answers and which change it means are values:

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
    """JSON of that type, or a form with the same fields; the handler reads it."""

    shape: Any


class Csv(msgspec.Struct, frozen=True):
    """`text/csv`; the handler reads it."""

    example: str


class Upload(msgspec.Struct, frozen=True):
    """Multipart with one part `file`; the handler takes it as fast as it reads."""


Body: TypeAlias = Json | Form | Csv | Upload


class Streamed(msgspec.Struct, frozen=True):
    """JSON of that type; CSV or lines of JSON where that is accepted."""

    shape: Any


class CsvFile(msgspec.Struct, frozen=True):
    """A CSV file."""


class Content(msgspec.Struct, frozen=True):
    """The content of a file: whole, in part, or not modified."""


Answer: TypeAlias = Json | Streamed | CsvFile | Content


class Auth(Enum):
    """Who may ask.

    SESSION: who has signed in; it is about the account itself, and not for API keys.
    KEY: an API key whose scope allows it, too.
    LINK: a link with a `signature`, too; the handler judges it.
    PUBLIC: anybody.
    """

    SESSION = auto()
    KEY = auto()
    LINK = auto()
    PUBLIC = auto()


class Condition(Enum):
    """What makes a request safe to send again, or a change one of what the client has seen.

    AGAIN: it takes an `Idempotency-Key`.
    REVISION: its answer has an `ETag`; a change takes an `If-Match`.
    """

    AGAIN = auto()
    REVISION = auto()


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A route, and what is said of it.

    Attributes:
        query: the type of its query.
        also: other good statuses with the same answer.
        errors: statuses of wrong answers, beside those that follow from the rest.
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
    tag: str = ""

    @property
    def name(self) -> str:
        """Of the operation in the API's document, and in the metrics."""
        return str(self.handler.__name__)

    @property
    def adds(self) -> bool:
        """Whether it brings something new that is kept: nothing of that is taken on a full disk."""
        match self.body:
            case Csv() | Upload():
                return True
            case Json() | Form():
                return self.status == 201
        return False

    @property
    def reads_its_body(self) -> bool:
        """The handler waits for the client, and may be left when that hangs up."""
        return isinstance(self.body, Form | Upload)

    @property
    def takes_if_match(self) -> bool:
        return self.condition is Condition.REVISION and self.method == "PATCH"

    @property
    def summary(self) -> str:
        return (self.handler.__doc__ or "").strip().partition("\n")[0]
