"""Who comes to the broker before Roost answers for it waits for no time-out."""

import trio

from actors.adapters.asyncio_bridge import open_bridge
from actors.adapters.memory.clocks import ManualClock
from actors.adapters.memory.store.store import MemoryStore
from actors.adapters.nats.auth_callout import open_logins
from actors.adapters.nats.lines import connect
from roost.embedded.broker import EmbeddedBroker
from roost.embedded.broker_config import LOGIN_WITHIN_S, PARTITIONS
from tests.support import wire

AT_ONCE_S = LOGIN_WITHIN_S / 2


async def come(server: EmbeddedBroker, ended: trio.Event) -> None:
    """Somebody logs in, until the broker ends it."""
    try:
        await trio.to_thread.run_sync(
            wire.connect, server.host, server.port, "early", "early", "x", abandon_on_cancel=True
        )
    except ConnectionError:
        ended.set()


async def ask_in_vain(server: EmbeddedBroker, nursery: trio.Nursery) -> trio.Event:
    """Who hears the broker's question about a login goes without an answer; answers with an event
    that is set when the broker ends it."""
    asked, ended = trio.Event(), trio.Event()

    async def hear(message: object) -> None:
        asked.set()

    async with open_bridge("test") as bridge:
        line = await bridge.run(connect, server.access, "auth", server.access.auth_password)
        await bridge.run(line.subscribe, "$SYS.REQ.USER.AUTH", "", hear)
        await bridge.run(line.flush)
        nursery.start_soon(come, server, ended)
        with trio.fail_after(AT_ONCE_S):
            await asked.wait()
        await bridge.run(line.close)
    return ended


async def test_who_came_before_anybody_answers_is_closed_and_may_come_again(
    nats: EmbeddedBroker,
) -> None:
    """They waited for as long as a login may take: ten seconds after each start."""
    store = MemoryStore(ManualClock())
    async with trio.open_nursery() as nursery:
        ended = await ask_in_vain(nats, nursery)
        async with open_logins(nats.access, store, ManualClock(), PARTITIONS, []) as logins:
            assert not ended.is_set()
            await logins.open()
            with trio.fail_after(AT_ONCE_S):
                await ended.wait()
