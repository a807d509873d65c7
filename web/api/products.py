"""REST calls for a shop's products: add, list, statistics, show, change, delete."""

from decimal import Decimal

import msgspec

from protocol.errors import Invalid, Outdated
from protocol.problems.detail import Detail
from protocol.rest.listing import PRODUCTS
from protocol.rest.shapes import Page
from protocol.shop.shop import Product
from protocol.shop.views import (
    NewProduct,
    ProductChange,
    ProductStats,
    ProductView,
    price_of,
    product_view,
    stock_view,
)
from protocol.views import given_in
from web.http.context import Call
from web.http.listing import SearchQuery, listed, shown_alone, truth
from web.http.missing import missing
from web.http.operation import Condition, Json
from web.http.preconditions import check_match, tag
from web.http.routing import Api
from web.people.activity import note_soon

api = Api("shop")


class ProductsQuery(SearchQuery, frozen=True, kw_only=True):
    """`sku`: exactly this SKU; `in_stock`: with or without stock; `q`: a part of a name or SKU."""

    sku: str | None = None
    in_stock: bool | None = None


@api.operation(
    "POST",
    "/products",
    body=Json(NewProduct),
    answer=Json(ProductView),
    status=201,
    errors=(409,),
    condition=Condition.REVISION,
)
async def add_product(call: Call, body: NewProduct) -> ProductView:
    """Add a product."""
    made = Product(
        id=call.service.ids.uuid(),
        user_id=call.user.id,
        name=body.name,
        sku=body.sku,
        description=body.description,
        price=_price(body.price),
        stock=body.stock,
        created_us=call.service.clock.now_us(),
    )
    added = await call.service.store.add_product(made)
    note_soon(call, "product_added", added.sku)
    tag(call, added.version)
    return product_view(added)


@api.operation("GET", "/products", query=ProductsQuery, answer=Json(Page[ProductView]))
async def list_products(call: Call, query: ProductsQuery) -> Page[ProductView]:
    """List your products; `sort` takes created_at, name, sku, price and stock."""
    return await listed(
        call, PRODUCTS, query, product_view, sku=query.sku, in_stock=truth(query.in_stock)
    )


@api.operation("GET", "/products/stats", answer=Json(ProductStats))
async def product_stats(call: Call) -> ProductStats:
    """Sum up the stock and its value."""
    return stock_view(await call.service.store.stock_sums(call.user.id))


@api.operation(
    "GET",
    "/products/<product_id>",
    answer=Json(ProductView),
    errors=(404,),
    condition=Condition.REVISION,
)
async def show_product(call: Call, product_id: str) -> ProductView:
    """Show a product."""
    product = await product_of(call, product_id)
    tag(call, product.version)
    return await shown_alone(call, PRODUCTS, product, product_view)


@api.operation(
    "PATCH",
    "/products/<product_id>",
    body=Json(ProductChange),
    answer=Json(ProductView),
    errors=(404,),
    condition=Condition.REVISION,
)
async def change_product(call: Call, product_id: str, body: ProductChange) -> ProductView:
    """Change a product. `stock` replaces the current stock."""
    product = await product_of(call, product_id)
    given = given_in(body)
    stock = given.pop("stock", None)
    if "price" in given:
        given["price"] = _price(given["price"])
    wanted = msgspec.structs.replace(product, **given)
    check_match(call, product.version)
    changed = await call.service.store.update_product(wanted, product.version, stock)
    if changed is None:
        raise Outdated
    note_soon(call, "product_changed", changed.sku)
    tag(call, changed.version)
    return product_view(changed)


@api.operation("DELETE", "/products/<product_id>", status=204, errors=(404,))
async def delete_product(call: Call, product_id: str) -> None:
    """Delete a product. Existing orders keep its name and price."""
    product = await product_of(call, product_id)
    await call.service.store.delete_product(call.user.id, product_id)
    note_soon(call, "product_deleted", product.sku)


async def product_of(call: Call, product_id: str) -> Product:
    """The user's product. Raises `NotFound`."""
    product = await call.service.store.product(call.user.id, product_id)
    if product is None:
        raise missing("product_id")
    return product


def _price(said: str | float) -> Decimal:
    price = price_of(said)
    if price is None:
        raise Invalid({"price": Detail("price_places")})
    return price
