"""Entries of the activity log: who did what with an account, from where.

await note(call, user.id, "signed_in")                  # before the answer
note_soon(call, "product_added", product.name)          # beside it
"""

from functools import partial

import structlog
import trio

from actors.ports.people import PeopleStore
from actors.runtime.retry import Pauses, until_available
from protocol.errors import Unavailable, in_words
from protocol.people.people import SUBJECT_MAX, Action, AuditEntry
from protocol.printable import printable
from protocol.problems.detail import Detail
from web.http.agents import agent_of
from web.http.context import Call

log = structlog.get_logger("roost.web")

AGAIN_S, WRITE_WITHIN_S = 1.0, 60.0


async def note(call: Call, user_id: str, action: Action, subject: str | Detail = "") -> None:
    """Write an entry into the user's log. Raises `Unavailable`."""
    await call.service.store.add_audit(entry_of(call, user_id, action, subject))


def note_soon(call: Call, action: Action, subject: str | Detail = "") -> None:
    """Write an entry about a change that is done already: if the store does not answer just now,
    the request has not failed. It is tried again for a while, so it may be there twice."""
    entry = entry_of(call, call.user.id, action, subject)
    call.service.supervisor.run_contained(
        "activity log", partial(_write, call.service.store, entry), gave_up=lambda: None
    )


async def _write(store: PeopleStore, entry: AuditEntry) -> None:
    with trio.move_on_after(WRITE_WITHIN_S) as late:
        await until_available(partial(store.add_audit, entry), Pauses(AGAIN_S), _waits)
    if late.cancelled_caught:
        log.warning("not in the activity log", user=entry.user_id, action=entry.action)


def _waits(error: Unavailable) -> None:
    log.debug("the activity log is written later", error=in_words(error))


def entry_of(call: Call, user_id: str, action: Action, subject: str | Detail = "") -> AuditEntry:
    """`subject`: a name, or a text of Roost's."""
    return AuditEntry(
        user_id=user_id,
        at_us=call.service.clock.now_us(),
        action=action,
        subject=printable(str(subject))[:SUBJECT_MAX],
        coded=subject.coded if isinstance(subject, Detail) else None,
        address=call.address,
        agent=agent_of(call.request),
    )
