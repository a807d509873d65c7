// Dialogs of the shop: add and edit a product, place an order.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get, post } from "../api";
import { Dialog } from "../parts/dialog";
import { EditForm, FOLLOWED_MS } from "../parts/edit_form";
import { Field, Form, numberOf } from "../parts/forms";
import { useList } from "../parts/lists";
import { done } from "../parts/toasts";
import { Loaded } from "../parts/ui";
import type { Product } from "../types";
import { t } from "../words";

function Fields({ stock }: { stock?: number }) {
  return (
    <>
      <Field name="name" label={t("Name")} required maxLength={200} />
      <Field name="sku" label="SKU" required maxLength={64} />
      <Field name="price" label={t("Price")} required pattern="[0-9]+(\.[0-9]+)?" />
      <Field name="stock" label={t("Stock")} type="number" min={0} required value={stock} />
      <Field name="description" label={t("Description")} rows={3} />
    </>
  );
}

export function NewProduct({ close }: { close: () => void }) {
  return (
    <Dialog title={t("Add product")} close={close}>
      <Form
        action={t("Add product")}
        submit={async ({ name, sku, price, stock, description }) => {
          await post("/products", { name, sku, price, stock: numberOf(stock), description });
          done(t("Saved"));
          close();
        }}
      >
        <Fields stock={0} />
      </Form>
    </Dialog>
  );
}

export function ChangeProduct({ id, close }: { id: string; close: () => void }) {
  const queryKey = ["/products", id];
  const found = useQuery({ queryKey, queryFn: () => get(`/products/${id}`), refetchInterval: FOLLOWED_MS });
  return (
    <Dialog title={found.data?.name ?? t("Product")} close={close}>
      <Loaded of={found}>
        {(product) => (
          <EditForm
            of={product}
            path={`/products/${id}`}
            queryKey={queryKey}
            action={t("Save")}
            saved={(_, isAll) => isAll && close()}
            texts={({ name, sku, price, stock, description }) => ({ name, sku, price, stock: String(stock), description })}
            body={({ stock, ...rest }) => ({ ...rest, ...(stock !== undefined && { stock: Number(stock) }) })}
          >
            <Fields />
          </EditForm>
        )}
      </Loaded>
    </Dialog>
  );
}

const inStockFirst = (items: Product[]): Product[] => [...items].sort((a, b) => Number(a.stock === 0) - Number(b.stock === 0));

export function NewOrder({ close }: { close: () => void }) {
  const products = useList<Product>("/products", { sort: "name", limit: 1000 });
  // The same order, however often it is sent.
  const [key] = useState(() => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16)).join(""));
  return (
    <Dialog title={t("New order")} close={close}>
      <Loaded of={products}>
        {(items) => (
          <Form
            action={t("Place order")}
            names={{ items: "product_id" }}
            submit={async ({ product_id, quantity, note }) => {
              const wanted = [{ product_id, quantity: numberOf(quantity) }];
              await post("/orders", { items: wanted, note: note ?? "" }, { "Idempotency-Key": key });
              done(t("Order placed"));
              close();
            }}
          >
            <Field
              name="product_id"
              label={t("Product")}
              required
              options={inStockFirst(items).map((each) => [each.id, `${each.name} (${each.stock})`])}
            />
            <Field name="quantity" label={t("Quantity")} type="number" min={1} required value={1} />
            <Field name="note" label={t("Note")} maxLength={500} />
          </Form>
        )}
      </Loaded>
    </Dialog>
  );
}
