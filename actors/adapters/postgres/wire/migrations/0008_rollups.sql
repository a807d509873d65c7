-- Charts of long times: readings summed up per minute and hour, of each feed and of each user.

CREATE TABLE feed_rollups (
    feed_num integer NOT NULL,
    level    smallint NOT NULL,  -- 1: minutes, 2: hours
    ts       timestamptz NOT NULL,
    count    bigint NOT NULL,
    sum      double precision NOT NULL,
    min      double precision NOT NULL,
    max      double precision NOT NULL,
    PRIMARY KEY (feed_num, level, ts)
);
CREATE TABLE user_rollups (
    user_id uuid NOT NULL,
    level   smallint NOT NULL,
    ts      timestamptz NOT NULL,
    count   bigint NOT NULL,
    sum     double precision NOT NULL,
    min     double precision NOT NULL,
    max     double precision NOT NULL,
    PRIMARY KEY (user_id, level, ts)
);

-- Which minutes (since 1970) of which feeds a commit wrote to, and nobody has summed up since.
CREATE TABLE rollup_log (
    num     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    feeds   integer[] NOT NULL,
    minutes integer[] NOT NULL
);
-- They live for seconds: packing them would cost more than their room.
ALTER TABLE rollup_log ALTER feeds SET STORAGE EXTERNAL, ALTER minutes SET STORAGE EXTERNAL;

ALTER TABLE feeds ADD COLUMN retain_days integer CHECK (retain_days > 0);
CREATE INDEX feeds_retained ON feeds (num) WHERE retain_days IS NOT NULL;
CREATE INDEX feeds_user ON feeds (user_id, num);

-- What is there already.
INSERT INTO feed_rollups
SELECT feed_num, 1, date_bin('1 minute', ts, 'epoch'), count(*), sum(v), min(v), max(v)
FROM (SELECT feed_num, ts, coalesce(number, boolean::integer) AS v FROM feed_values) f
WHERE v IS NOT NULL GROUP BY 1, 2, 3;
INSERT INTO feed_rollups
SELECT feed_num, 2, date_bin('1 hour', ts, 'epoch'), sum(count), sum(sum), min(min), max(max)
FROM feed_rollups WHERE level = 1 GROUP BY 1, 2, 3;
INSERT INTO user_rollups
SELECT f.user_id, r.level, r.ts, sum(r.count), sum(r.sum), min(r.min), max(r.max)
FROM feed_rollups r JOIN feeds f ON f.num = r.feed_num GROUP BY 1, 2, 3;
