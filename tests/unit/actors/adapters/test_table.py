"""A noun's table: one description gives every statement about it."""

from typing import Any

import msgspec
import pytest

from actors.adapters.postgres.wire.optimistic_lock import revise
from actors.adapters.postgres.wire.table import Table
from actors.adapters.postgres.wire.writing import arrays, inserting, updating
from protocol.errors import Outdated


class Size(msgspec.Struct, frozen=True, kw_only=True):
    width: int = 0
    height: int = 0


class Box(msgspec.Struct, frozen=True, kw_only=True):
    num: int = 0
    id: str
    client_id: str
    tags: tuple[str, ...] = ()
    size: Size = Size()
    owner: str = ""
    note: str = ""
    packed_us: int | None = None


BOXES = Table(
    "boxes b",
    Box,
    joins="JOIN owners o ON o.num = b.owner_num",
    settings=("tags", "size"),
    spread={"size": "size_"},
    texts=("client_id",),
    elsewhere={"owner": "o.name"},
    given=("note",),
)
BOX = Box(id="1", client_id="c", tags=("a",), size=Size(width=2, height=3), packed_us=4, num=5)
ROW = {
    "num": 5,
    "id": "1",
    "client_id": "c",
    "tags": ["a"],
    "owner": "",
    "packed_at": 4,
    "size_width": 2,
    "size_height": 3,
}


def test_its_statements_can_be_read() -> None:
    assert BOXES.selected == (
        "b.num, b.id::text, b.client_id, b.tags, o.name AS owner, b.packed_at,"
        " b.size_width, b.size_height"
    )
    assert BOXES.source == "boxes b JOIN owners o ON o.num = b.owner_num"
    assert BOXES.insert("secret") == (
        "INSERT INTO boxes AS b (id, client_id, tags, packed_at, size_width, size_height, secret)"
        " VALUES ($1::text::uuid, $2, $3, $4, $5, $6, $7)"
    )
    assert BOXES.arguments(BOX) == ["1", "c", ("a",), 4, 2, 3]


def test_a_row_becomes_a_record() -> None:
    found = BOXES.record(ROW, note="fragile")
    assert found == msgspec.structs.replace(BOX, note="fragile")


def test_values_of_two_tables_have_names_of_their_own() -> None:
    sizes = Table("sizes s", Size, label="size_")
    assert sizes.selected == "s.width AS size_width, s.height AS size_height"
    assert sizes.record({"size_width": 1, "size_height": 2}) == Size(width=1, height=2)


def test_a_field_that_is_none_of_the_record_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="Size has no depth"):
        Table("sizes s", Size, settings=("depth",))


class Answering:
    """A connection that notes what it is asked."""

    def __init__(self, answer: int | None) -> None:
        self.answer = answer
        self.asked: tuple[Any, ...] = ()

    async def fetchval(self, *asked: Any) -> int | None:
        self.asked = asked
        return self.answer


async def test_a_change_writes_settings_alone_and_knows_its_revision() -> None:
    connection = Answering(8)
    await revise(connection, BOXES, BOX, 7, also="opened = false")
    assert connection.asked == (
        "UPDATE boxes SET tags = $2, size_width = $3, size_height = $4, opened = false,"
        " revision = revision + 1 WHERE num = $1"
        " AND ($5::integer IS NULL OR revision = $5) RETURNING revision",
        *(5, ("a",), 2, 3, 7),
    )
    with pytest.raises(Outdated):
        await revise(Answering(None), BOXES, BOX, 7)


def test_many_rows_are_written_by_one_statement() -> None:
    assert updating(BOXES, ("client_id", "packed_us", "size.width"), 3) == (
        "\nUPDATE boxes b SET client_id = i.client_id, packed_at = i.packed_at,"
        " size_width = i.size_width\nFROM unnest($3::bigint[], $4::text[], $5::timestamptz[],"
        " $6::bigint[]) AS i (num, client_id, packed_at, size_width) WHERE b.num = i.num\n"
    )
    assert inserting(BOXES, ("id", "size.height")) == (
        "\nINSERT INTO boxes (id, size_height)\nSELECT i.id::uuid, i.size_height"
        " FROM unnest($1::text[], $2::bigint[]) AS i (id, size_height)\n"
    )
    assert arrays(("num", "size.width"), [BOX, BOX]) == [[5, 5], [2, 2]]
