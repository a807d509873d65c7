"""The user actor: one per user with an open dashboard; sends events to that user's dashboards.

A dashboard subscribes first. Then the database is read, and newer states that living actors sent
meanwhile replace the read ones, by each device's `version`. So nothing is lost between snapshot and
stream, and nothing older follows something newer.
"""

from collections import OrderedDict
from collections.abc import Collection
from typing import assert_never

from actors.user.outbox import Outbox, is_newer
from protocol.events import (
    CommandChanged,
    DeviceChanged,
    DeviceList,
    DeviceRemoved,
    Event,
    FeedValue,
    OccurrenceChanged,
)
from protocol.messages import (
    GivenUp,
    Happened,
    ReadSnapshot,
    Renewed,
    SnapshotRead,
    Subscribed,
    Unsubscribed,
    UserEffect,
    UserMessage,
)
from protocol.records import Device

# Commands and occurrences whose version is remembered: about those of the last minutes.
VERSIONS_MAX = 10_000


class UserActor:
    """Keeps outboxes, the newest state of each device, and the newest time of each feed."""

    def __init__(self) -> None:
        self._outboxes: dict[int, Outbox] = {}
        self._newest: dict[str, Device] = {}
        self._removed: set[str] = set()
        self._feed_us: dict[str, int] = {}
        # By an event's key, the last changed last. An `OrderedDict`, because finding the first key
        # of a dict would pass all that were deleted before it.
        self._versions: OrderedDict[tuple[str, str], int] = OrderedDict()

    def step(self, message: UserMessage, now_us: int) -> list[UserEffect]:
        match message:
            case Happened(event=event, at_s=at_s):
                if self._is_new(event):
                    for outbox in self._outboxes.values():
                        outbox.offer(event, at_s)
                return []
            case Subscribed(outbox=outbox):
                assert isinstance(outbox, Outbox)
                outbox.hold()
                self._outboxes[id(outbox)] = outbox
                return [ReadSnapshot(outbox=outbox)]
            case Unsubscribed(outbox=outbox):
                self._outboxes.pop(id(outbox), None)
                return []
            case Renewed():
                self._newest.clear()
                self._removed.clear()
                for outbox in self._outboxes.values():
                    outbox.hold()
                return [ReadSnapshot(outbox=outbox) for outbox in self._outboxes.values()]
            case GivenUp():
                self._newest.clear()
                self._removed.clear()
                self._feed_us.clear()
                for outbox in self._outboxes.values():
                    outbox.forget()
                return []
            case SnapshotRead():
                self._show_page(message)
                return []
            case _:
                assert_never(message)

    def set_aside(self, message: UserMessage, error: str) -> list[UserEffect]:
        """An event that cannot be shown is skipped; the next one with its key replaces it."""
        return []

    def _is_new(self, event: Event) -> bool:
        match event:
            case DeviceChanged(device=device):
                known = self._newest.get(device.id)
                if known is not None and not is_newer(device, known):
                    return False
                self._newest[device.id] = device
                self._removed.discard(device.id)
                return True
            case DeviceRemoved(device_id=device_id):
                self._newest.pop(device_id, None)
                self._removed.add(device_id)
                return True
            case FeedValue(feed_id=feed_id, ts_us=ts_us):
                # Another device may have sent a newer value of a shared feed.
                if ts_us < self._feed_us.get(feed_id, ts_us):
                    return False
                self._feed_us[feed_id] = ts_us
                return True
            case CommandChanged(command=command):
                return self._is_next(event.key, command.version)
            case OccurrenceChanged(occurrence=occurrence):
                return self._is_next(event.key, occurrence.version)
            case _:
                return True

    def _is_next(self, key: tuple[str, str], version: int) -> bool:
        """Events of transactions may arrive in another order than the transactions were
        committed."""
        known = self._versions.get(key, version)
        self._versions[key] = max(known, version)
        self._versions.move_to_end(key)
        if len(self._versions) > VERSIONS_MAX:
            self._versions.popitem(last=False)
        return version >= known

    def _show_page(self, page: SnapshotRead) -> None:
        """A page to those it was read for, with what living actors have told since."""
        theirs = {id(outbox): holds for outbox, holds in page.outboxes}
        # One that has begun again since is read for once more.
        reading = [box for key, box in self._outboxes.items() if theirs.get(key) == box.holds]
        shown = [DeviceChanged(device) for device in self._merged(page, theirs)]
        listed = DeviceList(tuple(each.device for each in shown), page.is_last)
        for outbox in reading:
            if page.is_first:
                outbox.open(listed)
            else:
                outbox.extend(shown, is_last=page.is_last)

    def _merged(self, page: SnapshotRead, theirs: Collection[int]) -> list[Device]:
        """The devices of a page, or what is known to be newer of them.

        The event of a device that is news here is still on its way, and will be no news then. So
        dashboards that have their lists are told now.
        """
        others = [b for key, b in self._outboxes.items() if key not in theirs and b.has_list]
        merged = []
        for device in page.devices:
            known = self._newest.get(device.id)
            if known is not None and known.state.version >= device.state.version:
                device = known
            if device.id in self._removed:
                continue
            merged.append(device)
            if device is not known:
                self._newest[device.id] = device
                for outbox in others:
                    outbox.offer(DeviceChanged(device), page.at_s)
        return merged
