-- A message id stands for a reading together with its content, because devices' counters start anew.
-- Of what was stored before, the content is not known (0): such an id is taken for a repetition for
-- its seven days, so that nothing that comes again over the update is stored twice.
ALTER TABLE message_ids ADD COLUMN digest bigint NOT NULL DEFAULT 0;
ALTER TABLE message_ids DROP CONSTRAINT message_ids_pkey;
ALTER TABLE message_ids ADD PRIMARY KEY (feed_num, device_num, id, digest);
