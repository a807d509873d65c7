-- Counting who is online looks at those only.
CREATE INDEX devices_user_online ON devices (user_id) WHERE status <> 'offline';
CREATE INDEX alarms_user_open ON alarms (user_id) WHERE state IN ('active', 'acknowledged');
