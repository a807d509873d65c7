// Products and what was ordered of them.

import { useQueryClient } from "@tanstack/react-query";
import { Check, Pencil, Plus, Trash2, X } from "lucide-react";
import { useState } from "react";
import { useParameter } from "../address";
import { patch, remove } from "../api";
import { forgetDrafts } from "../parts/drafts";
import { More, Rows, useList } from "../parts/lists";
import { Tabs } from "../parts/tabs";
import { Badge, Empty, Heading, Loaded, RowMenu } from "../parts/ui";
import type { Order, Product } from "../types";
import { moment, number, t } from "../words";
import { ChangeProduct, NewOrder, NewProduct } from "./shop_forms";

type Shown = { open: "product" } | { open: "order" } | { open: "change"; id: string };

const TABS: [string, string][] = [
  ["orders", "Orders"],
  ["products", "Products"],
];

export default function ShopPage() {
  const queries = useQueryClient();
  const [asked, setTab] = useParameter("tab", "orders");
  const tab = asked === "products" ? asked : "orders";
  const [shown, setShown] = useState<Shown | null>(null);
  const products = useList<Product>("/products", { sort: "name" });
  const close = () => {
    setShown(null);
    void queries.invalidateQueries();
  };
  return (
    <>
      <Heading title={t("Shop")}>
        {tab === "products" ? (
          <button type="button" className="primary" onClick={() => setShown({ open: "product" })}>
            <Plus aria-hidden="true" />
            {t("Add product")}
          </button>
        ) : (
          <button type="button" className="primary" disabled={!products.data?.length} onClick={() => setShown({ open: "order" })}>
            <Plus aria-hidden="true" />
            {t("New order")}
          </button>
        )}
      </Heading>
      <Tabs label={t("Shop")} tabs={TABS.map(([name, title]) => [name, t(title)])} value={tab} onChange={setTab}>
        <section className="sheet">
        {tab === "products" ? (
          <>
            <Loaded of={products}>
              {(items) => <Products items={items} change={(id) => setShown({ open: "change", id })} />}
            </Loaded>
            <More of={products} />
          </>
        ) : (
          <Orders hasProducts={products.data?.length !== 0} />
        )}
        </section>
      </Tabs>
      {shown?.open === "product" && <NewProduct close={close} />}
      {shown?.open === "change" && <ChangeProduct id={shown.id} close={close} />}
      {shown?.open === "order" && <NewOrder close={close} />}
    </>
  );
}

function Products({ items, change }: { items: Product[]; change: (id: string) => void }) {
  const queries = useQueryClient();
  if (!items.length) {
    return (
      <Empty title={t("No products yet")}>
        <p>{t("Add a product with a price and stock. Orders reduce stock.")}</p>
      </Empty>
    );
  }
  return (
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
        <RowMenu
          key="menu"
          of={each.name}
          actions={[
            { name: t("Edit"), icon: Pencil, open: () => change(each.id) },
            {
              name: t("Delete"),
              icon: Trash2,
              kind: "danger",
              title: t("Delete {name}", { name: each.name }),
              ask: t("Existing orders are not affected."),
              said: t("Deleted"),
              run: async () => {
                await remove(`/products/${each.id}`);
                forgetDrafts(`/products/${each.id}`);
                await queries.invalidateQueries();
              },
            },
          ]}
        />,
      ]}
    />
  );
}

const itemsOf = (order: Order): string => order.items.map((item) => `${item.quantity} × ${item.name}`).join(", ");

function Orders({ hasProducts }: { hasProducts: boolean }) {
  const queries = useQueryClient();
  const orders = useList<Order>("/orders");
  const finish = (order: Order, status: string) => () =>
    patch(`/orders/${order.id}`, { status }).then(() => queries.invalidateQueries());
  return (
    <>
      <Loaded of={orders}>
        {(items) =>
          items.length ? (
            <Rows
              caption={t("Orders")}
              head={[t("Time"), t("Items"), t("Note"), t("Total"), t("State"), ""]}
              items={items}
              id={(each) => each.id}
              row={(each) => [
                moment(each.created_at),
                itemsOf(each),
                each.note,
                each.total,
                <Badge state={each.status} />,
                each.status === "placed" && (
                  <RowMenu
                    of={itemsOf(each)}
                    actions={[
                      { name: t("Complete order"), icon: Check, run: finish(each, "completed"), said: t("Completed") },
                      {
                        name: t("Cancel order"),
                        icon: X,
                        run: finish(each, "cancelled"),
                        title: t("Cancel this order?"),
                        ask: t("Items return to stock."),
                        no: t("Keep order"),
                        said: t("Cancelled"),
                      },
                    ]}
                  />
                ),
              ]}
            />
          ) : (
            <Empty title={t("No orders yet")}>
              {!hasProducts && (
                <>
                  <p>{t("Add a product with a price and stock. Orders reduce stock.")}</p>
                  <a className="button" href="#/shop?tab=products">
                    {t("Show products")}
                  </a>
                </>
              )}
            </Empty>
          )
        }
      </Loaded>
      <More of={orders} />
    </>
  );
}
