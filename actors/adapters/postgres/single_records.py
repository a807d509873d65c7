"""One record of a user, by its id."""

from actors.adapters.postgres.wire.pool import PooledCalls
from actors.adapters.postgres.wire.unreadable import record_of
from protocol.device.commands import Command
from protocol.media.media import Media
from protocol.records import Device, Feed
from protocol.schedule.schedules import Schedule
from protocol.shop.shop import Order, Product
from protocol.webhook.deliveries import Webhook


class SingleRecordCalls(PooledCalls):
    """Of several nouns' parts of the store. All raise `Unreadable` (`wire.unreadable`)."""

    async def device(self, user_id: str, device_id: str) -> Device | None:
        return await self._work(record_of, "devices", user_id, device_id)

    async def feed(self, user_id: str, feed_id: str) -> Feed | None:
        return await self._work(record_of, "feeds", user_id, feed_id)

    async def media(self, user_id: str, media_id: str) -> Media | None:
        return await self._work(record_of, "media", user_id, media_id)

    async def media_by_id(self, media_id: str) -> Media | None:
        return await self._work(record_of, "media", None, media_id)

    async def schedule(self, user_id: str, schedule_id: str) -> Schedule | None:
        return await self._work(record_of, "media-schedules", user_id, schedule_id)

    async def command(self, user_id: str, command_id: str) -> Command | None:
        return await self._work(record_of, "commands", user_id, command_id)

    async def webhook(self, user_id: str, webhook_id: str) -> Webhook | None:
        return await self._work(record_of, "webhooks", user_id, webhook_id)

    async def product(self, user_id: str, product_id: str) -> Product | None:
        return await self._work(record_of, "products", user_id, product_id)

    async def order(self, user_id: str, order_id: str) -> Order | None:
        return await self._work(record_of, "orders", user_id, order_id)
