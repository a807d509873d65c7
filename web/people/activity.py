"""Entries of the activity log: who did what with an account, from where.

await note(call, user.id, "signed_in")                  # before the answer
note_soon(call, "product_added", product.name)          # beside it
"""

from functools import partial

from protocol.people.people import SUBJECT_MAX, Action, AuditEntry
from protocol.printable import printable
from web.http.agents import agent_of
from web.http.context import Call


async def note(call: Call, user_id: str, action: Action, subject: str = "") -> None:
    """Write an entry into the user's log. Raises `Unavailable`."""
    await call.service.store.add_audit(entry_of(call, user_id, action, subject))


def note_soon(call: Call, action: Action, subject: str = "") -> None:
    """Write an entry about a change that is done already: if the store does not answer just now,
    the request has not failed. It is tried again for a while."""
    entry = entry_of(call, call.user.id, action, subject)
    call.service.supervisor.run_contained(
        "activity log", partial(call.service.store.add_audit, entry), gave_up=lambda: None
    )


def entry_of(call: Call, user_id: str, action: Action, subject: str = "") -> AuditEntry:
    return AuditEntry(
        user_id=user_id,
        at_us=call.service.clock.now_us(),
        action=action,
        subject=printable(subject)[:SUBJECT_MAX],
        address=call.address,
        agent=agent_of(call.request),
    )
