"""A noun's table, described once: what is read of a row, what is written, and what may change.

    PRODUCTS = Table("products p", Product, settings=("name", "sku"))

    row = await connection.fetchrow(
        f"{PRODUCTS.insert()} RETURNING {PRODUCTS.selected}", *PRODUCTS.arguments(product)
    )
    return PRODUCTS.record(row)

Columns have the names of the record's fields, but for these rules, which every table follows:

- `created_us` (µs) is the column `created_at`;
- `id` and `…_id` are uuids in the database and texts in the record;
- `num` is given by the database, and never written;
- a Struct inside the record (`alarm: AlarmRule`) is spread over columns with a prefix.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar, get_origin

import msgspec

R = TypeVar("R", bound=msgspec.Struct)

NUMBER = "num"
_TIME = "_us"


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a record, and where the database has it.

    Attributes:
        field: its name in its own Struct.
        path: the way to it from the record: `severity` of the field `alarm` is `alarm.severity`.
        kind: its type.
        name: of the column.
        label: of its value in a row.
        expression: what it is in a statement that reads the table.
        is_uuid: a uuid there, a text here.
        is_written: a new row gets it from the record.
    """

    field: str
    path: str
    kind: Any
    name: str
    label: str
    expression: str
    is_uuid: bool
    is_written: bool

    @property
    def selected(self) -> str:
        """What stands behind SELECT."""
        read = f"{self.expression}::text" if self.is_uuid else self.expression
        plain = self.expression.rpartition(".")[2]
        return read if plain == self.label else f"{read} AS {self.label}"

    @property
    def is_time(self) -> bool:
        return self.path.endswith(_TIME)

    def parameter(self, number: int) -> str:
        return f"${number}::text::uuid" if self.is_uuid else f"${number}"


class Table(Generic[R]):
    """How a record is kept.

    Args:
        source: the table and its short name, as in `devices d`.
        joins: what stands behind them in FROM.
        settings: fields that people change.
        spread: the prefix of the columns of each Struct inside the record.
        named: columns whose names no rule gives, by their fields.
        texts: fields called `…_id` that are no uuids.
        elsewhere: expressions of fields that are no columns of this table: read only.
        given: fields that no row has: `record` is told them.
        label: before the names of values, so that rows of a join tell two tables apart.

    Attributes:
        name: of the table.
        short: its name within a statement.
        source: what stands behind FROM, joins too.
        columns: in the order of the record's fields.
        selected: what stands behind SELECT or RETURNING.
        names: of the columns that are written.
        values: the parameters for them, from `$1` on.
        settings: the columns that a change writes.
    """

    def __init__(
        self,
        source: str,
        kind: type[R],
        *,
        joins: str = "",
        settings: Sequence[str] = (),
        spread: Mapping[str, str] | None = None,
        named: Mapping[str, str] | None = None,
        texts: Sequence[str] = (),
        elsewhere: Mapping[str, str] | None = None,
        given: Sequence[str] = (),
        label: str = "",
    ) -> None:
        self.name, self.short = source.split()
        self.source = f"{source} {joins}".rstrip()
        self._kind = kind
        self._spread, self._named = spread or {}, named or {}
        self._texts, self._elsewhere, self._label = texts, elsewhere or {}, label
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        told_of = {*settings, *self._spread, *self._named, *texts, *self._elsewhere, *given}
        if unknown := told_of - fields.keys():
            raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
        own = [
            self._column(field)
            for name, field in fields.items()
            if name not in given and name not in self._spread
        ]
        inner = {
            name: [self._column(each, name) for each in msgspec.structs.fields(fields[name].type)]
            for name in self._spread
        }
        self.columns = [*own, *(column for columns in inner.values() for column in columns)]
        self._by_path = {column.path: column for column in self.columns}
        self.selected = ", ".join(column.selected for column in self.columns)
        self._plain = _labels(own)
        self._arrays = [column.field for column in own if get_origin(column.kind) is tuple]
        self._inner = [(name, fields[name].type, _labels(inner[name])) for name in inner]
        written = [column for column in self.columns if column.is_written]
        self._written = [attrgetter(column.path) for column in written]
        self.names = ", ".join(column.name for column in written)
        self.values = ", ".join(column.parameter(n) for n, column in enumerate(written, 1))
        self.settings = [c for c in self.columns if c.path.partition(".")[0] in settings]

    def _column(self, field: Any, inside: str = "") -> Column:
        path = f"{inside}.{field.name}" if inside else field.name
        name = self._named.get(path) or self._spread.get(inside, "") + _column_name(field.name)
        expression = self._elsewhere.get(path)
        is_id = field.name == "id" or field.name.endswith("_id")
        return Column(
            field=field.name,
            path=path,
            kind=field.type,
            name=name,
            label=self._label + name,
            expression=expression or f"{self.short}.{name}",
            is_uuid=is_id and path not in self._texts,
            is_written=expression is None and path != NUMBER,
        )

    def record(self, row: Any, **given: Any) -> R:
        """A row as a record."""
        values = {field: row[label] for field, label in self._plain}
        for field in self._arrays:
            values[field] = tuple(values[field])
        for name, kind, labels in self._inner:
            values[name] = kind(**{field: row[label] for field, label in labels})
        return self._kind(**values, **given)

    def selected_with(self, **values: str) -> str:
        """As `selected`, with these expressions of SQL in place of the fields of those names: what
        is not read cannot fail."""
        return ", ".join(
            f"{values[column.path]} AS {column.label}" if column.path in values else column.selected
            for column in self.columns
        )

    @property
    def key(self) -> Column:
        """By which a change finds its row: the number, or the id where it has none."""
        return self._by_path.get(NUMBER) or self._by_path["id"]

    def at(self, path: str) -> Column:
        """The column of a field. Raises `KeyError`."""
        return self._by_path[path]

    def insert(self, *more: str) -> str:
        """A statement that adds a row; its arguments are `arguments`, and those of more columns."""
        last = len(self._written)
        names = ", ".join([self.names, *more])
        values = ", ".join([self.values, *(f"${last + n}" for n, _ in enumerate(more, 1))])
        return f"INSERT INTO {self.name} AS {self.short} ({names}) VALUES ({values})"

    def arguments(self, record: R) -> list[Any]:
        """What is written of a record, in the order of `names`."""
        return [read(record) for read in self._written]


def _column_name(field: str) -> str:
    return field.removesuffix(_TIME) + "_at" if field.endswith(_TIME) else field


def _labels(columns: Sequence[Column]) -> list[tuple[str, str]]:
    return [(column.field, column.label) for column in columns]
