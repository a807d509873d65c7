-- Until when readings of a feed were deleted, by retention or by a person. The broker's copies of
-- retained messages come again at each start of Roost, and must not bring them back.
CREATE TABLE histories_deleted (
    feed_num integer PRIMARY KEY REFERENCES feeds ON DELETE CASCADE,
    until    timestamptz NOT NULL
);
