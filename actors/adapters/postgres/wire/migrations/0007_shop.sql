-- The shop: products with their stock, and orders that take it.

CREATE TABLE products (
    num         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          uuid NOT NULL UNIQUE,
    user_id     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name        text NOT NULL,
    sku         text NOT NULL,
    description text NOT NULL,
    price       numeric NOT NULL CHECK (price >= 0),
    stock       integer NOT NULL CHECK (stock >= 0),
    created_at  timestamptz NOT NULL,
    version     integer NOT NULL,
    UNIQUE (user_id, sku)
) WITH (fillfactor = 80);
CREATE INDEX products_user ON products (user_id, num);

CREATE TABLE orders (
    num         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          uuid NOT NULL UNIQUE,
    user_id     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    state       text NOT NULL CHECK (state IN ('placed', 'completed', 'cancelled')),
    total       numeric NOT NULL,
    note        text NOT NULL,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX orders_user ON orders (user_id, num);
CREATE INDEX orders_created ON orders (user_id, created_at) INCLUDE (state, total);

-- What was ordered, as it was named and priced then; the product may change or go.
CREATE TABLE order_items (
    order_num   bigint NOT NULL REFERENCES orders ON DELETE CASCADE,
    place       integer NOT NULL,
    product_num bigint REFERENCES products ON DELETE SET NULL,
    product_id  uuid NOT NULL,
    name        text NOT NULL,
    sku         text NOT NULL,
    price       numeric NOT NULL,
    quantity    integer NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_num, place)
);
CREATE INDEX order_items_product ON order_items (product_num);
