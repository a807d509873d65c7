-- Backups that copy the broker's streams at this moment. What the writer stored of messages without
-- an identity is not forgotten meanwhile: the copy may hold these messages, too.
CREATE TABLE backups (
    id    uuid PRIMARY KEY,
    until timestamptz NOT NULL
);
