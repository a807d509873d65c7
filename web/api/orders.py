"""REST calls for a shop's orders: place, list, statistics, show, complete, cancel."""

from datetime import date, timedelta
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

from protocol.rest.listing import ORDERS
from protocol.rest.shapes import Page
from protocol.schedule.civil import zone_of
from protocol.shop.shop import CANCELLED, OrderDay, OrderSums, WantedItem, is_for
from protocol.shop.views import (
    NewOrder,
    OrderChange,
    OrderStats,
    OrderView,
    day_view,
    order_view,
    sums_view,
)
from protocol.times import EPOCH, SECOND_US
from web.api.spans import zone_in
from web.http.context import Call
from web.http.listing import ListQuery, listed, shown_alone
from web.http.missing import missing
from web.http.operation import Condition, Json
from web.http.preconditions import id_for, used_otherwise
from web.http.routing import Api
from web.people.activity import note_soon

api = Api("shop")

DAY_US = 24 * 3600 * SECOND_US


class OrdersQuery(ListQuery, frozen=True, kw_only=True):
    """`status`: placed, completed or cancelled."""

    status: Literal["placed", "completed", "cancelled"] | None = None


class OrderStatsQuery(msgspec.Struct, frozen=True):
    """The last `days` civil days of the time zone `tz` (or `timezone`), including today."""

    days: Annotated[int, Meta(ge=1, le=366)] = 30
    tz: str | None = None
    timezone: str = "UTC"


@api.operation(
    "POST",
    "/orders",
    body=Json(NewOrder),
    answer=Json(OrderView),
    status=201,
    errors=(409,),
    condition=Condition.AGAIN,
)
async def add_order(call: Call, body: NewOrder) -> OrderView:
    """Place an order. The stock of all its products is reduced, or none if one is short."""
    requested = [WantedItem(item.product_id.lower(), item.quantity) for item in body.items]
    order_id = id_for(call, "order")
    now_us = call.service.clock.now_us()
    store = call.service.store
    order = await store.add_order(order_id, call.user.id, requested, body.note, now_us)
    if not is_for(order, requested, body.note):
        raise used_otherwise()
    if order.created_us == now_us:  # else an answer that is sent again
        note_soon(call, "order_added", order.id)
    return order_view(order)


@api.operation("GET", "/orders", query=OrdersQuery, answer=Json(Page[OrderView]))
async def list_orders(call: Call, query: OrdersQuery) -> Page[OrderView]:
    """List your orders, newest first; `sort` takes created_at, total and status."""
    return await listed(call, ORDERS, query, order_view, status=query.status)


@api.operation("GET", "/orders/stats", query=OrderStatsQuery, answer=Json(OrderStats))
async def order_stats(call: Call, query: OrderStatsQuery) -> OrderStats:
    """Sum up the orders of the last 24 hours, and of each of the last days."""
    now_us = call.service.clock.now_us()
    recent = await call.service.store.order_sums(call.user.id, now_us - DAY_US, now_us + 1)
    zone = zone_of_query(query)
    days = await orders_by_day(call, now_us, query.days, zone)
    return OrderStats(
        recent=sums_view(recent), timezone=zone, by_day=[day_view(day) for day in days]
    )


class _Zoned(Protocol):
    @property
    def tz(self) -> str | None: ...

    @property
    def timezone(self) -> str: ...


def zone_of_query(query: _Zoned) -> str:
    """The name of the time zone that a query asks for. Raises `Invalid`."""
    if query.tz is None:
        zone_in("timezone", query.timezone)
        return query.timezone
    zone_in("tz", query.tz)
    return query.tz


async def orders_by_day(call: Call, now_us: int, many: int, timezone: str) -> list[OrderDay]:
    """Sums of orders for the last `many` civil days of a time zone, oldest first."""
    zone = zone_of(timezone)
    today = (EPOCH + timedelta(microseconds=now_us)).astimezone(zone).date()
    # One day more than requested, because days differ in length.
    since_us = now_us - (many + 1) * DAY_US
    found = await call.service.store.orders_by_day(call.user.id, since_us, now_us + 1, timezone)
    sums = {day.day: day.sums for day in found}
    days = [_before(today, n) for n in range(many - 1, -1, -1)]
    return [OrderDay(day, sums.get(day, OrderSums())) for day in days]


def _before(today: date, days: int) -> str:
    return (today - timedelta(days=days)).isoformat()


@api.operation("GET", "/orders/<order_id>", answer=Json(OrderView), errors=(404,))
async def show_order(call: Call, order_id: str) -> OrderView:
    """Show an order."""
    order = await call.service.store.order(call.user.id, order_id)
    if order is None:
        raise missing("order_id")
    return await shown_alone(call, ORDERS, order, order_view)


@api.operation(
    "PATCH", "/orders/<order_id>", body=Json(OrderChange), answer=Json(OrderView), errors=(404, 409)
)
async def change_order(call: Call, order_id: str, body: OrderChange) -> OrderView:
    """Complete or cancel an order. Cancelling returns its items to stock."""
    return await _finished(call, order_id, body.status)


@api.operation("DELETE", "/orders/<order_id>", answer=Json(OrderView), errors=(404, 409))
async def cancel_order(call: Call, order_id: str) -> OrderView:
    """Cancel an order. Its items return to stock, and the order stays in the list."""
    return await _finished(call, order_id, CANCELLED)


async def _finished(call: Call, order_id: str, state: str) -> OrderView:
    now_us = call.service.clock.now_us()
    order = await call.service.store.finish_order(call.user.id, order_id, state, now_us)
    if order is None:
        raise missing("order_id")
    note_soon(call, "order_cancelled" if state == CANCELLED else "order_completed", order.id)
    return order_view(order)
