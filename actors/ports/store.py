"""The store: what the writer commits, what actors start from, and the data of all nouns."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from actors.ports.access import AccessStore
from actors.ports.charts import ChartStore
from actors.ports.dead_letters import DeadLetterStore
from actors.ports.erasure import ErasureStore
from actors.ports.lead import LeadStore
from actors.ports.listeners import ListenerStore
from actors.ports.listing import ListStore
from actors.ports.media import MediaStore
from actors.ports.people import PeopleStore
from actors.ports.refusals import RefusalStore
from actors.ports.second_factor import SecondFactorStore
from actors.ports.shop import ShopStore
from actors.ports.time import Progress, TimeStore
from actors.ports.webhooks import WebhookStore
from actors.runtime.clock import WallClock as WallClock
from protocol.people.people import AUDIT_KEPT_DAYS
from protocol.records import (
    AckChange,
    Device,
    Feed,
    LoadedDevice,
    MqttLogin,
    Rejection,
    SessionMemory,
    StoredReading,
    WriteUnit,
)


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction: whole units, and up to where each session's acknowledgements are confirmed.

    `id` names the commit, so that a retry after a lost answer is recognised. `confirmed` says per
    session up to which commit (`Committed.no`) the broker has certainly processed the
    acknowledgements. `epoch` is the number of the lead under which its messages were taken; 0:
    whichever process leads.
    """

    id: str
    units: Sequence[WriteUnit]
    confirmed: dict[str, int]
    epoch: int = 0


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """The number of the commit (it grows, also across restarts), and what was stored before.

    `duplicates` has one number per unit of the batch: how many of its readings were stored before.
    `changed` is how acknowledgements changed commands, `unknown` those of unknown commands,
    `listed` refusals of retained messages' copies that were not known before.
    """

    no: int
    duplicates: Sequence[int]
    changed: Progress = Progress()
    unknown: tuple[AckChange, ...] = ()
    listed: tuple[Rejection, ...] = ()


class FeedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A query for readings of a feed, newest first; `before` is the last position already read."""

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
    SecondFactorStore,
    ErasureStore,
    ShopStore,
    ChartStore,
    ListenerStore,
    ListStore,
    LeadStore,
    DeadLetterStore,
    RefusalStore,
    Protocol,
):
    """All persistent data.

    Every call raises `Unavailable` if the database cannot be reached or does not answer in time.
    Whether it had an effect is then unknown, and it may be called again.
    """

    async def ping(self) -> None: ...

    async def migrate(self) -> list[str]: ...

    async def tidy(self, audit_days: int = AUDIT_KEPT_DAYS) -> None:
        """Delete rows that are old and have ended; of the activity log after so many days."""
        ...

    # For the writer and the actors

    async def commit(self, batch: Batch) -> Committed:
        """Commit a batch as a whole.

        Committing a batch with the same id again changes nothing and returns the same answer.

        Raises:
            Unstorable: the rows cannot be stored because of their content; nothing was stored.
            Fenced: another process leads by now; nothing was stored.
        """
        ...

    async def load_devices(self, keys: Sequence[tuple[str, str]]) -> list[LoadedDevice | None]:
        """Devices by (user id, code), in the requested order; None for an unknown one."""
        ...

    async def snapshot(
        self, user_id: str, after: int, limit: int
    ) -> tuple[list[Device], int | None]:
        """A page of devices in the order of creation, those with `num` above `after`; and after
        which number the next page begins: None where this is the last. It has none that cannot be
        read."""
        ...

    async def session_memory(self, session: str) -> SessionMemory:
        """The digests that commits took of a session.

        It first waits for every commit that has begun, including those of an earlier process that
        was killed or cut off: such a commit may still be done, and is never missing from the
        answer.

        Raises:
            Unavailable: also if such a commit does not end within seconds; ask again.
        """
        ...

    # Devices

    async def add_device(self, device: Device, login: MqttLogin) -> Device:
        """Returns it with its `num`. Raises `Conflict` if the user has a device with that code."""
        ...

    async def add_devices(
        self, made: Sequence[tuple[Device, MqttLogin]], most: int | None = None
    ) -> list[Device]:
        """All of them (of one user), or none; otherwise like `add_device`. Raises `Conflict` also
        if the user would have more than `most` devices."""
        ...

    async def devices(self, user_id: str, limit: int, after: int) -> list[Device]:
        """In the order of creation, those with `num` above `after`."""
        ...

    async def device(self, user_id: str, device_id: str) -> Device | None: ...

    async def update_device(self, device: Device, known: int | None = None) -> None:
        """New settings. Raises `Outdated` if the revision is not the known one."""
        ...

    async def delete_device(self, user_id: str, device_id: str, purge: bool) -> None:
        """Its feeds are archived, or deleted with their history if `purge`."""
        ...

    async def set_login(self, device_id: str, login: MqttLogin) -> None: ...

    async def logins(self, usernames: Sequence[str]) -> dict[str, MqttLogin]:
        """Those that exist and may log in, by their names: none of a disabled user."""
        ...

    async def issued(self, usernames: Sequence[str]) -> set[str]:
        """Which of these are names of existing devices or listeners, whatever is in their rows."""
        ...

    # Feeds

    async def add_feed(
        self, feed: Feed, most: int | None = None, most_of_device: int | None = None
    ) -> Feed:
        """Returns it with its `num`. Raises `Conflict` for a second feed with that place and key,
        if the user would have more than `most`, and if its device (or all devices together, for
        shared feeds) would have more than `most_of_device`."""
        ...

    async def feeds(
        self, user_id: str, limit: int, after: int, device_id: str | None = None
    ) -> list[Feed]: ...

    async def feed(self, user_id: str, feed_id: str) -> Feed | None: ...

    async def update_feed(self, feed: Feed, known: int | None = None) -> None:
        """New settings. Raises `Outdated` if the revision is not the known one."""
        ...

    async def delete_feed(self, user_id: str, feed_id: str) -> None:
        """With its history."""
        ...

    # Readings and refusals

    async def feed_values(self, page: FeedPage) -> list[StoredReading]: ...
