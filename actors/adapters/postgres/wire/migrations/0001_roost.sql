-- Users, devices, feeds, readings, refusals, alarms, and what makes a commit known again.

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    email         text NOT NULL,
    full_name     text,
    password_hash text NOT NULL,
    created_at    timestamptz NOT NULL
);
CREATE UNIQUE INDEX users_email ON users (lower(email));

CREATE TABLE devices (
    num             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              uuid NOT NULL UNIQUE,
    user_id         uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    code            text NOT NULL,
    name            text NOT NULL,
    offline_after_s integer NOT NULL,
    created_at      timestamptz NOT NULL,
    username        text NOT NULL UNIQUE,
    client_id       text NOT NULL UNIQUE,
    password_sha256 bytea NOT NULL,
    -- State, written by the device's actor through the writer. Room on the page keeps updates cheap.
    version         bigint NOT NULL DEFAULT 0,
    status          text NOT NULL DEFAULT 'offline',
    temperature     double precision,
    humidity        double precision,
    latitude        double precision,
    longitude       double precision,
    firmware        text,
    last_seen_at    timestamptz,
    state_at        timestamptz,
    session         bigint,
    UNIQUE (user_id, code)
) WITH (fillfactor = 70);

CREATE TABLE feeds (
    num          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           uuid NOT NULL UNIQUE,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    device_id    uuid REFERENCES devices (id) ON DELETE SET NULL,
    key          text NOT NULL,
    name         text NOT NULL,
    unit         text,
    kind         text NOT NULL CHECK (kind IN ('number', 'text', 'bool')),
    enabled      boolean NOT NULL,
    min_value    double precision,
    max_value    double precision,
    on_violation text NOT NULL CHECK (on_violation IN ('reject', 'flag')),
    archived     boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL
);
-- One live feed for a place and a key; an archived one (its device was deleted) keeps its history.
CREATE UNIQUE INDEX feeds_place ON feeds
    (user_id, coalesce(device_id, '00000000-0000-0000-0000-000000000000'), key) WHERE NOT archived;
CREATE INDEX feeds_device ON feeds (device_id);

-- The last value of each feed, apart from its settings because it changes with every reading.
CREATE TABLE feed_last (
    feed_num integer PRIMARY KEY REFERENCES feeds ON DELETE CASCADE,
    ts       timestamptz NOT NULL,
    number   double precision,
    text     text,
    boolean  boolean
) WITH (fillfactor = 50);

-- A reading is (feed, device, ts, value); the digest stands for the value, and for the device's own
-- message id where it sends one. No foreign keys: they would cost a look-up for each reading.
CREATE TABLE feed_values (
    feed_num   integer NOT NULL,
    device_num integer NOT NULL,
    ts         timestamptz NOT NULL,
    digest     bigint NOT NULL,
    number     double precision,
    text       text,
    boolean    boolean,
    flagged    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (feed_num, ts, device_num, digest)
) PARTITION BY RANGE (ts);
-- So that no date fails; partitions by month are made ahead (`make_partitions`).
CREATE TABLE feed_values_default PARTITION OF feed_values DEFAULT;

-- Message ids of devices for seven days. A partitioned table cannot hold them unique.
CREATE TABLE message_ids (
    feed_num   integer NOT NULL,
    device_num integer NOT NULL,
    id         text NOT NULL,
    seen_at    timestamptz NOT NULL,
    PRIMARY KEY (feed_num, device_num, id)
);
CREATE INDEX message_ids_seen ON message_ids USING brin (seen_at);

CREATE TABLE rejected_messages (
    num         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          uuid NOT NULL DEFAULT gen_random_uuid(),
    user_id     uuid NOT NULL,
    device_id   uuid,
    received_at timestamptz NOT NULL,
    topic       text NOT NULL,
    payload     text NOT NULL,
    encoding    text NOT NULL,
    reason      text NOT NULL,
    detail      text NOT NULL
);
CREATE INDEX rejected_messages_user ON rejected_messages (user_id, num);

CREATE TABLE alarms (
    num        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    user_id    uuid NOT NULL,
    feed_num   integer REFERENCES feeds ON DELETE CASCADE,
    device_num integer NOT NULL,
    kind       text NOT NULL,
    state      text NOT NULL CHECK (state IN ('active', 'acknowledged', 'cleared')),
    raised_at  timestamptz NOT NULL,
    cleared_at timestamptz,
    value      double precision,
    detail     text NOT NULL
);
CREATE UNIQUE INDEX alarms_open ON alarms (feed_num, device_num, kind) WHERE state <> 'cleared';

-- Each commit of the writer by its name, so that one whose answer was lost is not done twice.
CREATE TABLE commits (
    no         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         uuid NOT NULL UNIQUE,
    at         timestamptz NOT NULL DEFAULT now(),
    duplicates integer[] NOT NULL
);

-- Identities of messages without one of their own, one row for each commit and session: 16 bytes a
-- message. Those above `confirmed_no` may not have been acknowledged to the broker.
CREATE TABLE taken (
    session   text NOT NULL,
    commit_no bigint NOT NULL,
    digests   bytea NOT NULL,
    PRIMARY KEY (session, commit_no)
);
CREATE TABLE sessions_confirmed (
    session      text PRIMARY KEY,
    confirmed_no bigint NOT NULL
);
