-- Refusals beyond a device's or user's budget: counted, not kept. No reference to users or devices,
-- as with the refusals that are kept: what a device said before it was deleted may come after.
CREATE TABLE refusals_not_kept (
    user_id     uuid NOT NULL,
    device_code text NOT NULL,
    many        bigint NOT NULL,
    last_at     timestamptz NOT NULL,
    PRIMARY KEY (user_id, device_code)
);

-- One refusal is deleted by its id.
CREATE INDEX rejected_messages_id ON rejected_messages (id);
