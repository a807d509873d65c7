-- Which settings a change was made from (ETag, If-Match).
ALTER TABLE users ADD COLUMN revision integer NOT NULL DEFAULT 1;
ALTER TABLE devices ADD COLUMN revision integer NOT NULL DEFAULT 1;
ALTER TABLE feeds ADD COLUMN revision integer NOT NULL DEFAULT 1;
ALTER TABLE media_schedules ADD COLUMN revision integer NOT NULL DEFAULT 1;
ALTER TABLE webhooks ADD COLUMN revision integer NOT NULL DEFAULT 1;
