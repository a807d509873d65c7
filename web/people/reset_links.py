"""Links that set a new password. Both REST and the command line create them."""

from urllib.parse import quote

from actors.ports.ids import Ids
from actors.ports.store import Store
from protocol.people.access import MAILED, RESET_S, kept_of
from protocol.people.user import User
from protocol.times import SECOND_US


async def new_link(
    store: Store, ids: Ids, user: User, url: str, now_us: int, *, is_mailed: bool = False
) -> str:
    """A link that sets this user's password. It works once, within an hour; earlier links stop
    working. `is_mailed`: to the address of the account, and nowhere else."""
    token = f"{MAILED if is_mailed else ''}{ids.secret()}"
    await store.add_reset(kept_of(token), user.id, now_us + RESET_S * SECOND_US)
    # Browsers do not send what is behind the '#', so the token reaches no log.
    return f"{url}/reset#{quote(token)}"
