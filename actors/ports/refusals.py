"""The store's part for refusals: which are kept, and which are only counted."""

from typing import Protocol

from protocol.device.refusals import NotKept


class RefusalStore(Protocol):
    """They are stored by the writer's commits, and listed like every noun (`ListStore`)."""

    async def delete_rejection(self, user_id: str, rejection_id: str) -> bool:
        """False if the user has none with that id."""
        ...

    async def delete_rejections(
        self,
        user_id: str,
        device_id: str | None = None,
        reason: str | None = None,
        before_us: int | None = None,
    ) -> int:
        """Those of the device, with the reason, received before then, or all; return how many."""
        ...

    async def trim_rejections(self, many: int, size: int) -> int:
        """Keep only the newest of each user: so many, and (about) so many bytes."""
        ...

    async def not_kept(self, user_id: str, device_code: str) -> NotKept:
        """What was only counted, since the device was created, or for thirty days after the
        last."""
        ...
