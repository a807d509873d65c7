"""Links that set a new password. Apart from REST: the command line makes them, too."""

from urllib.parse import quote

from actors.ports.ids import Ids
from actors.ports.store import Store
from protocol.people.access import RESET_S, kept_of
from protocol.records import User
from protocol.times import SECOND_US


async def new_link(store: Store, ids: Ids, user: User, url: str, now_us: int) -> str:
    """A link that sets this user's password, once, within an hour; earlier ones work no more."""
    token = ids.secret()
    await store.add_reset(kept_of(token), user.id, now_us + RESET_S * SECOND_US)
    # Behind the '#' no server and no log sees it.
    return f"{url}/reset#{quote(token)}"
