"""Who is told about a commit, or about units that are given up, and in which order."""

from collections.abc import Sequence

from actors.device.registry import Devices
from actors.due.scheduler import Scheduler
from actors.ingest.gateway import Gateway
from actors.ingest.posts import Posts
from actors.ingest.refusal_budget import RefusalBudget
from actors.leadership import Leadership
from actors.ports.store import Committed
from protocol.messages import RefusalListed
from protocol.records import Rejection, WriteUnit


class Commits:
    """A `CommitListener` of the writer."""

    def __init__(
        self,
        gateway: Gateway,
        posts: Posts,
        refusals: RefusalBudget,
        scheduler: Scheduler,
        devices: Devices,
        leadership: Leadership,
    ) -> None:
        self._gateway = gateway
        self._posts = posts
        self._refusals = refusals
        self._scheduler = scheduler
        self._devices = devices
        self._leadership = leadership

    def committed(self, committed: Committed, units: Sequence[WriteUnit]) -> None:
        self._gateway.committed(committed.no, units)
        self._posts.committed(units, committed.duplicates)
        self._refusals.committed(units, committed.unknown)
        self._scheduler.changed(committed.changed)
        if any(unit.readings for unit in units):
            self._scheduler.due("rollups", self._scheduler.rolling.wanted_us())
        for change in committed.unknown:
            self._tell(change.device, change.otherwise)
        if committed.listed:
            for unit in units:
                for each in unit.rejections:
                    if unit.is_copy and each in committed.listed:
                        self._tell(unit.device, each)

    def _tell(self, device: tuple[str, str], listed: Rejection) -> None:
        said = RefusalListed(topic=listed.topic, reason=listed.reason, detail=listed.detail)
        self._devices.tell(device, said)

    def gave_up(self, units: Sequence[WriteUnit], epoch: int) -> None:
        self._gateway.gave_up(units)
        self._posts.gave_up(units)
        self._leadership.doubt(epoch)
