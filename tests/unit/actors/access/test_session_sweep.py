"""What the broker keeps goes with its login; what could not be done at once is done later."""

from collections.abc import Sequence
from typing import Any

import trio
import trio.testing

from actors.access.mqtt_credentials import username_of
from actors.access.session_sweep import AGAIN_S, EVERY_S, SessionSweep
from actors.ports.broker_sessions import KeptSession
from protocol.errors import Unavailable

DEVICE = "device-00000000-0000-4000-8000-000000000001"
LISTENER = "listener-00000000-0000-4000-8000-000000000002"


class Logins:
    def __init__(self, *kept: KeptSession) -> None:
        self.sessions = {each.client_id: each for each in kept}
        self.away = False
        self.broken = ""
        self.swept = 0

    async def _cross(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.away:
            raise Unavailable("away")

    async def kept(self) -> Sequence[KeptSession]:
        await self._cross()
        return list(self.sessions.values())

    async def forget(self, client_id: str) -> None:
        await self._cross()
        if client_id == self.broken:
            raise ValueError("of a kind nobody foresaw")
        self.sessions.pop(client_id, None)

    async def forget_user(self, username: str) -> None:
        await self._cross()
        for each in [each for each in self.sessions if each.startswith(username)]:
            await self.forget(each)

    async def clear_away(self) -> int:
        await self._cross()
        self.swept += 1
        return 0


class Store:
    def __init__(self, *issued: str) -> None:
        self.names = set(issued)

    async def issued(self, usernames: Sequence[str]) -> set[str]:
        await trio.lowlevel.checkpoint()
        return self.names & set(usernames)


def sweeping(store: Any, logins: Any) -> SessionSweep:
    return SessionSweep(store, logins)


def test_client_ids_belong_to_names_that_were_issued() -> None:
    assert username_of(DEVICE) == DEVICE
    assert username_of(f"{LISTENER}-kitchen") == LISTENER
    for other in ("roost-part-0", "many-1", "", f"x{DEVICE}", DEVICE.upper(), DEVICE[:-1]):
        assert username_of(other) is None


async def test_only_what_belongs_to_nobody_goes() -> None:
    kept = [DEVICE, f"{LISTENER}-a", "roost-part-0", "many-1"]
    gone = [DEVICE[:-1] + "9", f"{LISTENER[:-1]}9-a"]
    logins = Logins(
        *[KeptSession(each) for each in kept + gone],
        KeptSession(f"{LISTENER}-clean", is_gone=True),
        KeptSession("roost-wills", is_gone=True),
    )
    logins.broken = gone[0]  # which keeps no other
    sweep = sweeping(Store(DEVICE, LISTENER), logins)
    await sweep.sweep()
    assert sorted(logins.sessions) == sorted([*kept, gone[0], "roost-wills"])
    assert sweep.forgotten == 2


async def test_what_could_not_be_done_at_once_is_done_soon(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    logins = Logins(KeptSession(DEVICE), KeptSession(LISTENER))
    sweep = sweeping(store := Store(DEVICE, LISTENER), logins)
    nursery.start_soon(sweep.run)
    await trio.sleep(EVERY_S + 1)
    assert logins.swept == 2
    logins.away = True
    store.names.clear()
    await sweep.device_deleted(DEVICE)  # answers all the same
    await sweep.listener_deleted(LISTENER)
    await trio.sleep(10 * AGAIN_S)
    assert len(logins.sessions) == 2
    logins.away = False
    await trio.sleep(AGAIN_S)
    assert not logins.sessions


async def test_at_once_where_the_broker_answers() -> None:
    logins = Logins(KeptSession(DEVICE), KeptSession(f"{LISTENER}-a"), KeptSession("many-1"))
    sweep = sweeping(Store(), logins)
    await sweep.device_deleted(DEVICE)
    await sweep.listener_deleted(LISTENER)
    assert list(logins.sessions) == ["many-1"]
