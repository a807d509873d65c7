"""The demo's shop: its products, and the orders of two weeks.

Orders are placed and finished by the store's own calls, each at its time, so stock and statistics
are those of a shop that did this. Ids follow from the user, so a start that was interrupted goes on
where it was.
"""

import random
import uuid

from actors.ports.store import Store
from protocol.shop.shop import CANCELLED, COMPLETED, Product, WantedItem
from protocol.times import SECOND_US
from roost.demo.business import WARES, ZONE_HOURS
from roost.demo.readings import SEED

ORDER_DAYS = 14
OPENS_H, CLOSES_H = 7, 22
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
# An order is handed over so much later; the newest ones are still to be.
READY_US = 40 * 60 * SECOND_US
OPEN = 3
NOTES = ("", "", "", "", "Pick-up at Bạch Đằng", "Deliver to Mỹ Khê", "Gift wrap, please")


async def add_shop(store: Store, user_id: str, now_us: int) -> None:
    """Add what is missing."""
    rng = random.Random(f"{SEED}/shop")
    products: list[Product] = []
    for ware in WARES:
        product = Product(
            id=_id(user_id, ware.sku),
            user_id=user_id,
            name=ware.name,
            sku=ware.sku,
            description="",
            price=ware.price,
            stock=ware.stock,
            created_us=now_us - 30 * DAY_US,
        )
        if await store.product(user_id, product.id) is None:
            await store.add_product(product)
        products.append(product)
    left = {product.id: product.stock for product in products}
    times = _times(rng, now_us)
    for n, at_us in enumerate(times):
        items = _items(rng, products, left)
        note, cancelled = rng.choice(NOTES), rng.random() < 0.06
        if not items:
            continue
        order = await store.add_order(_id(user_id, f"order/{n}"), user_id, items, note, at_us)
        if n < len(times) - OPEN and at_us + READY_US < now_us:
            state = CANCELLED if cancelled else COMPLETED
            await store.finish_order(user_id, order.id, state, at_us + READY_US)


def _times(rng: random.Random, now_us: int) -> list[int]:
    """When orders were placed: in opening hours, more of them at weekends."""
    local_us = now_us + ZONE_HOURS * HOUR_US
    today = local_us // DAY_US
    times = []
    for day in range(today - ORDER_DAYS, today + 1):
        is_weekend = (day + 3) % 7 >= 5  # the first day of 1970 was a Thursday
        for _ in range(rng.randint(4, 6) + 4 * is_weekend):
            hour = rng.uniform(OPENS_H, CLOSES_H)
            at_us = day * DAY_US + round(hour * HOUR_US) - ZONE_HOURS * HOUR_US
            if at_us < now_us:
                times.append(at_us)
    return sorted(times)


def _items(rng: random.Random, products: list[Product], left: dict[str, int]) -> list[WantedItem]:
    items = []
    for product in rng.sample(products, rng.randint(1, 3)):
        quantity = min(rng.randint(1, 4), left[product.id])
        left[product.id] -= quantity
        if quantity:
            items.append(WantedItem(product.id, quantity))
    return items


def _id(user_id: str, name: str) -> str:
    return str(uuid.uuid5(uuid.UUID(user_id), f"{SEED}/{name}"))
