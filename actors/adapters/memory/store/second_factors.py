"""Second factors of users in the store's twin."""

from actors.adapters.memory.store.accounts import AccountTables
from actors.ports.second_factor import FactorChange
from protocol.people.second_factor import SecondFactor


class SecondFactorTables(AccountTables):
    """See `actors.ports.second_factor.SecondFactorStore`."""

    async def second_factor(self, user_id: str) -> SecondFactor | None:
        await self._cross()
        return self._factors.get(user_id)

    async def update_second_factor(
        self, user_id: str, change: FactorChange, *, only_session: str | None = None
    ) -> list[str]:
        await self._cross()
        after, entries = change(self._factors.get(user_id))
        if after is None:
            self._factors.pop(user_id, None)
        else:
            self._factors[user_id] = after
        ended = []
        if only_session is not None:
            mine = [s.id for s in self.all_sessions.values() if s.user_id == user_id]
            ended = [each for each in mine if each != only_session]
            self._end(ended)
        for entry in entries:
            self._note(entry)
        return ended
