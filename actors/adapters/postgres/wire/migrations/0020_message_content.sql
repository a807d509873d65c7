-- A message id stands for a reading together with its content, because devices' counters start anew.
-- Of what was stored before, the content is not known: such an id is taken for a repetition for its
-- seven days, so that nothing that comes again over the update is stored twice. That table never
-- grows, so a plan that looks into it never becomes wrong.
ALTER TABLE message_ids RENAME TO message_ids_before;
ALTER INDEX message_ids_pkey RENAME TO message_ids_before_pkey;
ALTER INDEX message_ids_seen RENAME TO message_ids_before_seen;

CREATE TABLE message_ids (
    feed_num   integer NOT NULL,
    device_num integer NOT NULL,
    id         text NOT NULL,
    digest     bigint NOT NULL,
    seen_at    timestamptz NOT NULL,
    PRIMARY KEY (feed_num, device_num, id, digest)
);
CREATE INDEX message_ids_seen ON message_ids USING brin (seen_at);
