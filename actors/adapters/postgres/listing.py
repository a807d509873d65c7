"""Lists that can be sorted, filtered and read page by page: one statement for each page."""

from typing import Any, TypeVar

from actors.adapters.postgres.list_queries import NOUNS, Noun
from actors.adapters.postgres.row_letters import note_row
from actors.adapters.postgres.wire.pool import PooledCalls
from actors.adapters.postgres.wire.unreadable import read, read_again
from protocol.rest.listing import Listing, ListOf, UnreadableRow, folded

T = TypeVar("T")


async def listed(
    connection: Any, noun: Noun, user_id: str, asked: Listing
) -> list[tuple[str, Any]]:
    """Records of a page, each with its position."""
    args: list[Any] = [user_id, asked.limit]

    def parameter(value: Any) -> str:
        args.append(value)
        return f"${len(args)}"

    key = noun.key(asked.sort)
    where = [f"{noun.owner} = $1::text::uuid", noun.where]
    if asked.after is not None:
        value, num = asked.after
        after = f"{key.read.format(parameter(value))}, {parameter(num)}::bigint"
        where.append(f"({key.order}, {noun.number}) {'<' if asked.descending else '>'} ({after})")
    if asked.q is not None:
        where.append(noun.found(parameter(f"%{_escaped(folded(asked.q))}%")))
    for name, values in asked.filters.items():
        where.append(noun.condition(name, parameter(list(values))))
    way = "DESC" if asked.descending else "ASC"
    which = f"WHERE {' AND '.join(where)} ORDER BY {key.order} {way}, {noun.number} {way} LIMIT $2"
    return await read(connection, noun, user_id, which, *args, place=key.written)


def _escaped(part: str) -> str:
    """Escaped, as a part of a pattern of LIKE."""
    return part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


class ListCalls(PooledCalls):
    """See `actors.ports.listing.ListStore`."""

    async def listed(
        self, noun: ListOf[T], user_id: str, asked: Listing
    ) -> list[tuple[str, T | UnreadableRow]]:
        return await self._work(listed, NOUNS[noun.name], user_id, asked)

    async def note_unreadable(self, noun: str, num: int, user_id: str, reason: str) -> None:
        await self._work(note_row, noun, num, user_id, reason)

    async def read_row_again(self, subject: str, user_id: str) -> None:
        await self._work(read_again, subject, user_id)
