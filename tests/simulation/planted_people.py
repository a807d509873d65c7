"""Classic mistakes with people: sold twice, given back twice, signed out and still in."""

from collections.abc import Collection, Sequence

import msgspec

from actors.access.lock_outs import LockOuts
from actors.access.sessions import Sessions
from actors.adapters.memory.store.erasure import ErasureTables
from actors.adapters.memory.store.people import PeopleTables
from actors.adapters.memory.store.shop import ShopTables
from protocol.people.second_factor import SecondFactor, used
from protocol.people.user import User
from protocol.shop.shop import CANCELLED, PLACED, Order, WantedItem
from tests.simulation.planted import Patch, plant
from web.http.context import Call
from web.people import account, codes


@plant("an order that is sent again is another")
def bought_twice(patch: Patch) -> None:
    add = ShopTables.add_order

    async def mistaken(
        self: ShopTables,
        order_id: str,
        user_id: str,
        wishes: Sequence[WantedItem],
        note: str,
        now_us: int,
    ) -> Order:
        if order_id in self.all_orders:
            order_id = f"{order_id[:-12]}{self._next('mistake'):012d}"
        return await add(self, order_id, user_id, wishes, note, now_us)

    patch.setattr(ShopTables, "add_order", mistaken)


@plant("a cancelled order gives back whenever it is asked to")
def given_back_twice(patch: Patch) -> None:
    finish = ShopTables.finish_order

    async def mistaken(
        self: ShopTables, user_id: str, order_id: str, state: str, now_us: int
    ) -> Order | None:
        known = self.all_orders.get(order_id)
        if known is not None and known.state == CANCELLED:
            self.all_orders[order_id] = msgspec.structs.replace(known, state=PLACED)
        return await finish(self, user_id, order_id, state, now_us)

    patch.setattr(ShopTables, "finish_order", mistaken)


@plant("a code of the app counts as long as it is shown")
def used_again(patch: Patch) -> None:
    def mistaken(factor: SecondFactor, code: str, now_us: int) -> SecondFactor | None:
        return used(msgspec.structs.replace(factor, last_step=-1), code, now_us)

    patch.setattr(codes, "used", mistaken)


@plant("a link that verifies an address counts again")
def verified_again(patch: Patch) -> None:
    def mistaken(self: PeopleTables, user_id: str, but: str | None = None) -> None:
        pass

    patch.setattr(PeopleTables, "_end_verifications", mistaken)


@plant("a new address counts before its link was opened")
def taken_at_once(patch: Patch) -> None:
    async def mistaken(call: Call, user: User, email: str) -> User:
        return msgspec.structs.replace(user, email=email)

    patch.setattr(account, "with_address", mistaken)


@plant("a disabled account's devices stay connected")
def not_locked_out(patch: Patch) -> None:
    async def mistaken(self: LockOuts, user_id: str) -> None:
        await self._store.listener(user_id)

    patch.setattr(LockOuts, "_close_all", mistaken)


@plant("of a deleted account something is left")
def left_behind(patch: Patch) -> None:
    erase = ErasureTables.erase_user

    async def mistaken(self: ErasureTables, user_id: str) -> bool:
        factor = self._factors.get(user_id)
        done = await erase(self, user_id)
        if factor is not None:
            self._factors[user_id] = factor
        return done

    patch.setattr(ErasureTables, "erase_user", mistaken)


@plant("who signs out is kept at hand")
def still_in(patch: Patch) -> None:
    async def mistaken(
        self: Sessions, user_id: str, session_ids: Collection[str]
    ) -> Collection[str]:
        return await self._store.delete_sessions(user_id, session_ids)

    patch.setattr(Sessions, "end", mistaken)
    patch.setattr(Sessions, "invalidate", lambda self, changed_id: None)
