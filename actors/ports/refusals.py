"""What the store keeps of refusals, and what it only counts."""

from typing import Protocol

from protocol.device.refusals import NotKept


class RefusalStore(Protocol):
    """They come in the writer's commits, and are listed like every noun (`ListStore`)."""

    async def delete_rejection(self, user_id: str, rejection_id: str) -> bool:
        """False where the user has none of that id."""
        ...

    async def delete_rejections(
        self,
        user_id: str,
        device_id: str | None = None,
        reason: str | None = None,
        before_us: int | None = None,
    ) -> int:
        """Those of the device, of the reason, received before then, or all; answers how many."""
        ...

    async def trim_rejections(self, many: int, size: int) -> int:
        """Of each user only the newest stay, so many of them and (roughly) so many bytes."""
        ...

    async def not_kept(self, user_id: str, device_code: str) -> NotKept:
        """What was counted only, since the device was made, or for thirty days after the last."""
        ...
