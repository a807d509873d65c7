"""Customers of a plan: who buys, and what must be left in the end (I2: sold once, never too much).

Everybody has one product from the beginning. An order carries its number as `Idempotency-Key`: who
asks twice, or again because the answer was lost, buys once.
"""

from typing import TYPE_CHECKING, Any

from protocol.shop.shop import CANCELLED
from tests.simulation.broken import Broken
from tests.simulation.person import Refused
from tests.simulation.plan import Buy

if TYPE_CHECKING:
    from tests.simulation.world import World

STOCK = 12


class Shop:
    """The shops of all people, and the book of what was bought."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._products: dict[str, str] = {}  # ids by owner
        self._bought: dict[str, Buy] = {}  # what was answered 201, by the order's id
        self._ids: dict[int, str] = {}  # orders by the number of their step
        self._cancelled: set[str] = set()

    async def furnish(self, owner: str) -> None:
        person = await self._world.person(owner).sign_up()
        offer = {"name": "Lamp", "sku": "L-1", "price": "9.90", "stock": STOCK}
        try:
            made = await person.post("/products", offer)
        except Refused as refused:
            if refused.status != 409:  # an earlier try was done, its answer lost
                raise
            made = (await person.get("/products?sku=L-1"))["items"][0]
        self._products[owner] = made["id"]

    async def buy(self, step: Buy) -> None:
        person = self._world.person(step.owner)
        body = {"items": [{"product_id": self._products[step.owner], "quantity": step.quantity}]}
        key = {"Idempotency-Key": f"cart {step.number}"}
        order: dict[str, Any] = {}
        for _ in range(2 if step.twice else 1):
            try:
                order = await person.call("POST", "/orders", body, key)
            except Refused as refused:
                if refused.status != 409:  # there are not so many left
                    raise
                return
            if self._ids.setdefault(step.number, order["id"]) != order["id"]:
                raise Broken("I2", f"one cart became two orders: {step}")
            self._bought[order["id"]] = step
        if step.cancels:
            for _ in range(2 if step.twice else 1):
                await person.delete(f"/orders/{order['id']}")
            self._cancelled.add(order["id"])

    def check(self) -> None:
        """Raises `Broken` where something was sold that was not there, twice, or not at all."""
        orders = self._world.store.all_orders
        for order_id, step in self._bought.items():
            if order_id not in orders:
                raise Broken("I1", f"an order was answered 201 and is not there: {step}")
            is_cancelled = orders[order_id].state == CANCELLED
            if is_cancelled != (order_id in self._cancelled):
                raise Broken("I1", f"it is {orders[order_id].state}: {step}")
        for owner, product_id in self._products.items():
            kept = [o for o in orders.values() if o.state != CANCELLED]
            mine = [i for o in kept for i in o.items if i.product_id == product_id]
            sold, left = sum(i.quantity for i in mine), self._world.store.all_products[product_id]
            if left.stock < 0 or left.stock + sold != STOCK:
                raise Broken("I2", f"{owner} sold {sold} of {STOCK}, and has {left.stock}")
