"""The store: what the writer commits, what actors start from, and all that nouns know."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from actors.ports.access import AccessStore
from actors.ports.charts import ChartStore
from actors.ports.dead_letters import DeadLetterStore
from actors.ports.lead import LeadStore
from actors.ports.listeners import ListenerStore
from actors.ports.listing import ListStore
from actors.ports.media import MediaStore
from actors.ports.people import PeopleStore
from actors.ports.refusals import RefusalStore
from actors.ports.shop import ShopStore
from actors.ports.time import Progress, TimeStore
from actors.ports.webhooks import WebhookStore
from actors.runtime.clock import WallClock as WallClock
from protocol.records import (
    AckChange,
    Device,
    Feed,
    LoadedDevice,
    MqttLogin,
    SessionMemory,
    StoredReading,
    WriteUnit,
)


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction: whole units, and how far each session's acknowledgements are known to be.

    `id` names the commit, so that a retry after a lost answer is recognised. `confirmed` says per
    session up to which commit (`Committed.no`) the broker has surely heard the acknowledgements.
    `epoch` is the number of the lead under which its messages were taken; 0: whoever leads.
    """

    id: str
    units: Sequence[WriteUnit]
    confirmed: dict[str, int]
    epoch: int = 0


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """The number of the commit (grows, across restarts too), and what it found there already.

    `duplicates` has one number per unit of the batch: how many of its readings were stored before.
    `changed` is what acknowledgements made of commands, `unknown` those that are of none.
    """

    no: int
    duplicates: Sequence[int]
    changed: Progress = Progress()
    unknown: tuple[AckChange, ...] = ()


class FeedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A question for readings of a feed, newest first; `before` is the last place already seen."""

    feed_num: int
    start_us: int | None = None
    end_us: int | None = None
    before: tuple[int, int, int] | None = None
    limit: int = 100


class Store(
    MediaStore,
    TimeStore,
    WebhookStore,
    PeopleStore,
    AccessStore,
    ShopStore,
    ChartStore,
    ListenerStore,
    ListStore,
    LeadStore,
    DeadLetterStore,
    RefusalStore,
    Protocol,
):
    """Everything that lasts.

    Every call raises `Unavailable` when the database cannot be reached or does not answer in time;
    then nothing is known of its effect, and it may be called again.
    """

    async def ping(self) -> None: ...

    async def migrate(self) -> list[str]: ...

    async def tidy(self) -> None: ...

    # What the writer and the actors need

    async def commit(self, batch: Batch) -> Committed:
        """Commit a batch whole.

        Committing a batch of the same id again changes nothing and gives the same answer.

        Raises:
            Unstorable: the rows cannot be stored for what they contain; nothing was.
            Fenced: another process leads by now; nothing was.
        """
        ...

    async def load_devices(self, keys: Sequence[tuple[str, str]]) -> list[LoadedDevice | None]:
        """Devices by (user id, code), in the order asked; None where there is none."""
        ...

    async def snapshot(
        self, user_id: str, after: int, limit: int
    ) -> tuple[list[Device], int | None]:
        """A page of devices in the order of creation, those with `num` above `after`; and after
        which number the next page begins: None where this is the last. It has none that cannot be
        read."""
        ...

    async def session_memory(self, session: str) -> SessionMemory:
        """The identities that commits took of a session.

        It first waits for every commit that has begun, also one of an earlier process that was
        killed or cut off: such a commit may still be done, and is never missing from the answer.

        Raises:
            Unavailable: also when such a commit does not end within seconds; ask again.
        """
        ...

    # Devices

    async def add_device(self, device: Device, login: MqttLogin) -> Device:
        """Answers with its `num`. Raises `Conflict` when the user has a device of that code."""
        ...

    async def add_devices(
        self, made: Sequence[tuple[Device, MqttLogin]], most: int | None = None
    ) -> list[Device]:
        """All of them (of one user), or none; otherwise as `add_device`. Raises `Conflict` also
        where the user would have more than `most` devices."""
        ...

    async def devices(self, user_id: str, limit: int, after: int) -> list[Device]:
        """In the order of creation, those with `num` above `after`."""
        ...

    async def device(self, user_id: str, device_id: str) -> Device | None: ...

    async def update_device(self, device: Device, known: int | None = None) -> None:
        """New settings. Raises `Outdated` where the revision is not the known one."""
        ...

    async def delete_device(self, user_id: str, device_id: str, purge: bool) -> None:
        """Its feeds stay archived, or go with their history when `purge`."""
        ...

    async def set_login(self, device_id: str, login: MqttLogin) -> None: ...

    async def logins(self, usernames: Sequence[str]) -> dict[str, MqttLogin]:
        """Those that there are, by their names."""
        ...

    async def issued(self, usernames: Sequence[str]) -> set[str]:
        """Which of these are names of devices or listeners that there are, whatever is in their
        rows."""
        ...

    # Feeds

    async def add_feed(
        self, feed: Feed, most: int | None = None, most_of_device: int | None = None
    ) -> Feed:
        """Answers with its `num`. Raises `Conflict` for a second feed of that place and key, where
        the user would have more than `most`, and where its device (or all devices together, of
        shared ones) would have more than `most_of_device`."""
        ...

    async def feeds(
        self, user_id: str, limit: int, after: int, device_id: str | None = None
    ) -> list[Feed]: ...

    async def feed(self, user_id: str, feed_id: str) -> Feed | None: ...

    async def update_feed(self, feed: Feed, known: int | None = None) -> None:
        """New settings. Raises `Outdated` where the revision is not the known one."""
        ...

    async def delete_feed(self, user_id: str, feed_id: str) -> None:
        """With its history."""
        ...

    # Readings and refusals

    async def feed_values(self, page: FeedPage) -> list[StoredReading]: ...
