// Products and what was ordered of them.

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { patch, post, remove } from "../api";
import { Field, Form, numberOf } from "../parts/forms";
import { More, Rows, useList } from "../parts/lists";
import { done } from "../parts/toasts";
import { Action, Badge, Dialog, Empty, Heading, Loaded } from "../parts/ui";
import type { Order, Product } from "../types";
import { moment, number, t } from "../words";

export default function ShopPage() {
  const queries = useQueryClient();
  const [product, setProduct] = useState<Product | "new" | null>(null);
  const [ordering, setOrdering] = useState(false);
  const products = useList<Product>("/products", { sort: "name" });
  const orders = useList<Order>("/orders");
  const again = () => void queries.invalidateQueries();
  return (
    <>
      <Heading title={t("Orders and products")}>
        <button type="button" className="primary" onClick={() => setProduct("new")}>
          {t("Add a product")}
        </button>
        <button type="button" disabled={!products.data?.length} onClick={() => setOrdering(true)}>
          {t("New order")}
        </button>
      </Heading>
      <section className="sheet">
        <h2>{t("Products")}</h2>
        <Loaded of={products}>
          {(items) =>
            items.length ? (
              <Rows
                caption={t("Products")}
                head={[t("Name"), "SKU", t("Price"), t("Stock"), ""]}
                items={items}
                id={(each) => each.id}
                row={(each) => [
                  each.name,
                  <code>{each.sku}</code>,
                  each.price,
                  <>
                    {number(each.stock)} {each.stock === 0 && <Badge state={t("Out of stock")} tone="bad" />}
                  </>,
                  <div className="row">
                    <button type="button" onClick={() => setProduct(each)}>
                      {t("Change")}
                    </button>
                    <Action
                      kind="danger"
                      label={t("Delete {name}", { name: each.name })}
                      ask={t("Orders keep its name and price.")}
                      said={t("Deleted")}
                      run={() => remove(`/products/${each.id}`).then(again)}
                    >
                      {t("Delete")}
                    </Action>
                  </div>,
                ]}
              />
            ) : (
              <Empty title={t("No products yet.")}>
                <p>{t("Add one with its price and stock; orders take from the stock, never below zero.")}</p>
              </Empty>
            )
          }
        </Loaded>
        <More of={products} />
      </section>
      <section className="sheet">
        <h2>{t("Orders")}</h2>
        <Loaded of={orders}>
          {(items) =>
            items.length ? (
              <Rows
                caption={t("Orders")}
                head={[t("When"), t("Items"), t("Total"), t("State"), ""]}
                items={items}
                id={(each) => each.id}
                row={(each) => [
                  moment(each.created_at),
                  each.items.map((item) => `${item.quantity} × ${item.name}`).join(", "),
                  each.total,
                  <Badge state={each.status} />,
                  each.status === "placed" && (
                    <div className="row">
                      <Action run={() => patch(`/orders/${each.id}`, { status: "completed" }).then(again)} said={t("Completed")}>
                        {t("Complete")}
                      </Action>
                      <Action
                        run={() => patch(`/orders/${each.id}`, { status: "cancelled" }).then(again)}
                        ask={t("Its items go back into the stock.")}
                        label={t("Cancel the order")}
                        said={t("Cancelled")}
                      >
                        {t("Cancel")}
                      </Action>
                    </div>
                  ),
                ]}
              />
            ) : (
              <p className="quiet">{t("Nothing was ordered yet.")}</p>
            )
          }
        </Loaded>
        <More of={orders} />
      </section>
      {product && (
        <ProductForm
          product={product === "new" ? null : product}
          close={() => {
            setProduct(null);
            again();
          }}
        />
      )}
      {ordering && (
        <OrderForm
          products={products.data ?? []}
          close={() => {
            setOrdering(false);
            again();
          }}
        />
      )}
    </>
  );
}

function ProductForm({ product, close }: { product: Product | null; close: () => void }) {
  return (
    <Dialog title={product ? product.name : t("Add a product")} close={close}>
      <Form
        action={t("Save")}
        submit={async ({ name, sku, price, stock, description }) => {
          const body = { name, sku, price, stock: numberOf(stock), description };
          await (product ? patch(`/products/${product.id}`, body) : post("/products", body));
          done(t("Saved"));
          close();
        }}
      >
        <Field name="name" label={t("Name")} required value={product?.name} maxLength={200} />
        <Field name="sku" label="SKU" required value={product?.sku} maxLength={64} />
        <Field name="price" label={t("Price")} required value={product?.price} pattern="[0-9]+(\.[0-9]+)?" />
        <Field name="stock" label={t("Stock")} type="number" min={0} required value={product?.stock ?? 0} />
        <Field name="description" label={t("Description")} rows={3} value={product?.description} />
      </Form>
    </Dialog>
  );
}

function OrderForm({ products, close }: { products: Product[]; close: () => void }) {
  // The same order, however often it is sent.
  const [key] = useState(() => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16)).join(""));
  return (
    <Dialog title={t("New order")} close={close}>
      <Form
        action={t("Order")}
        submit={async ({ product_id, quantity, note }) => {
          const items = [{ product_id, quantity: numberOf(quantity) }];
          await post("/orders", { items, note: note ?? "" }, { "Idempotency-Key": key });
          done(t("Ordered"));
          close();
        }}
      >
        <Field
          name="product_id"
          label={t("Product")}
          required
          options={products.map((each) => [each.id, `${each.name} (${each.stock})`])}
        />
        <Field name="quantity" label={t("How many")} type="number" min={1} required value={1} />
        <Field name="note" label={t("Note")} maxLength={500} />
      </Form>
    </Dialog>
  );
}
