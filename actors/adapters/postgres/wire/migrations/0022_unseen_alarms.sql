-- Alarms that nobody has acknowledged, also those that have cleared, are listed until somebody does:
-- each dashboard asks for them whenever an alarm changes.
CREATE INDEX alarms_acknowledged
    ON alarms (user_id, ((acknowledged_at IS NOT NULL)::text), num);
