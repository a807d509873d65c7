"""Second factors of users."""

from typing import Any

from actors.adapters.postgres.people import CHANNEL, add_audit
from actors.adapters.postgres.tables import SECOND_FACTORS
from actors.adapters.postgres.wire.pool import PooledCalls
from actors.ports.second_factor import FactorChange
from protocol.people.second_factor import SecondFactor

OF_USER = "WHERE user_id = $1::text::uuid"

_STORE = (
    f"{SECOND_FACTORS.insert()} ON CONFLICT (user_id) DO UPDATE SET"
    f" ({SECOND_FACTORS.names}) = ({SECOND_FACTORS.values})"
)


async def second_factor(connection: Any, user_id: str) -> SecondFactor | None:
    row = await connection.fetchrow(
        f"SELECT {SECOND_FACTORS.selected} FROM second_factors f {OF_USER}", user_id
    )
    return None if row is None else SECOND_FACTORS.record(row)


async def update_second_factor(
    connection: Any, user_id: str, change: FactorChange, only_session: str | None
) -> list[str]:
    async with connection.transaction():
        await connection.execute(
            "SELECT FROM users WHERE id = $1::text::uuid FOR NO KEY UPDATE", user_id
        )
        before = await second_factor(connection, user_id)
        after, entries = change(before)
        if after is None:
            await connection.execute(f"DELETE FROM second_factors {OF_USER}", user_id)
        elif after != before:
            await connection.execute(_STORE, *SECOND_FACTORS.arguments(after))
        ended = []
        if only_session is not None:
            ended = await connection.fetch(
                f"DELETE FROM sessions {OF_USER} AND id <> $2::text::uuid"
                " RETURNING id::text, pg_notify($3, id::text)",
                user_id,
                only_session,
                CHANNEL,
            )
        for entry in entries:
            await add_audit(connection, entry)
    return [row["id"] for row in ended]


class SecondFactorCalls(PooledCalls):
    """See `actors.ports.second_factor.SecondFactorStore`."""

    async def second_factor(self, user_id: str) -> SecondFactor | None:
        return await self._work(second_factor, user_id)

    async def update_second_factor(
        self, user_id: str, change: FactorChange, *, only_session: str | None = None
    ) -> list[str]:
        return await self._work(update_second_factor, user_id, change, only_session)
