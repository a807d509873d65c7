-- Webhooks, and what is on its way to them.

CREATE TABLE webhooks (
    num         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          uuid NOT NULL UNIQUE,
    user_id     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    url         text NOT NULL,
    events      text[] NOT NULL,
    secret      text NOT NULL,
    description text NOT NULL,
    enabled     boolean NOT NULL,
    created_at  timestamptz NOT NULL,
    -- A receiver that fails is left alone until paused_at.
    failures    integer NOT NULL DEFAULT 0,
    paused_at   timestamptz,
    dropped     bigint NOT NULL DEFAULT 0
);
CREATE INDEX webhooks_user ON webhooks (user_id, num);

CREATE TABLE webhook_deliveries (
    num         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    webhook_num bigint NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    event_id    uuid NOT NULL,
    type        text NOT NULL,
    body        text NOT NULL,
    state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    created_at  timestamptz NOT NULL,
    next_try_at timestamptz NOT NULL,
    attempts    integer NOT NULL DEFAULT 0,
    last_status integer,
    detail      text NOT NULL DEFAULT '',
    finished_at timestamptz,
    -- An event is told once, however often its cause is written.
    UNIQUE (webhook_num, event_id)
) WITH (fillfactor = 80);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_num, next_try_at)
    WHERE state = 'pending';
CREATE INDEX webhook_deliveries_list ON webhook_deliveries (webhook_num, num);
CREATE INDEX webhook_deliveries_old ON webhook_deliveries USING brin (created_at);
