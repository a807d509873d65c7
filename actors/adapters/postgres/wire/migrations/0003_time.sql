-- What happens because time passes: commands, media schedules and their occurrences, alarms.

-- The leading process: its number is in every commit of messages (`actors.leadership`).
CREATE TABLE leads (epoch bigint NOT NULL);
INSERT INTO leads VALUES (0);

ALTER TABLE devices ADD COLUMN offline_alarm boolean NOT NULL DEFAULT true;
-- Each of these has a lease: read at every start.
CREATE INDEX devices_online ON devices (num) WHERE status <> 'offline';

ALTER TABLE feeds
    ADD COLUMN alarm_after_s     double precision NOT NULL DEFAULT 0,
    ADD COLUMN alarm_after_count integer NOT NULL DEFAULT 1,
    ADD COLUMN alarm_hysteresis  double precision NOT NULL DEFAULT 0,
    ADD COLUMN alarm_severity    text NOT NULL DEFAULT 'warning';

ALTER TABLE alarms
    ALTER COLUMN raised_at DROP NOT NULL,
    ALTER COLUMN id DROP DEFAULT,
    DROP CONSTRAINT alarms_state_check,
    ADD CONSTRAINT alarms_state_check
        CHECK (state IN ('pending', 'active', 'acknowledged', 'cleared')),
    ADD COLUMN severity        text NOT NULL DEFAULT 'warning',
    ADD COLUMN since_at        timestamptz,
    ADD COLUMN count           integer NOT NULL DEFAULT 1,
    ADD COLUMN acknowledged_at timestamptz;
UPDATE alarms SET since_at = raised_at;
ALTER TABLE alarms ALTER COLUMN since_at SET NOT NULL;
DELETE FROM alarms a WHERE NOT EXISTS (SELECT FROM devices d WHERE d.num = a.device_num);
ALTER TABLE alarms ADD FOREIGN KEY (device_num) REFERENCES devices ON DELETE CASCADE;
-- One open alarm of a device or feed and kind; feed numbers begin at 1.
DROP INDEX alarms_open;
CREATE UNIQUE INDEX alarms_open ON alarms (device_num, coalesce(feed_num, 0), kind)
    WHERE state <> 'cleared';
CREATE INDEX alarms_user ON alarms (user_id, num);
CREATE INDEX alarms_pending ON alarms (num) WHERE state = 'pending';
CREATE INDEX alarms_feed ON alarms (feed_num);

CREATE TABLE commands (
    num          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           uuid NOT NULL UNIQUE,
    user_id      uuid NOT NULL,
    device_num   integer NOT NULL REFERENCES devices ON DELETE CASCADE,
    type         text NOT NULL,
    payload      text NOT NULL,
    state        text NOT NULL CHECK (state IN ('queued', 'sent', 'delivered', 'succeeded', 'failed',
                     'expired', 'cancelled')),
    parallel     boolean NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    next_try_at  timestamptz NOT NULL,
    attempts     integer NOT NULL,
    sent_at      timestamptz,
    delivered_at timestamptz,
    finished_at  timestamptz,
    detail       text NOT NULL,
    result       text,
    version      integer NOT NULL
) WITH (fillfactor = 70);
-- What is still to be brought to its device: when it is due, and in which order for each device.
CREATE INDEX commands_due ON commands (next_try_at) WHERE state IN ('queued', 'sent');
CREATE INDEX commands_open ON commands (device_num, num) WHERE state IN ('queued', 'sent');
CREATE INDEX commands_device ON commands (device_num, num);
CREATE INDEX commands_finished ON commands USING brin (created_at);

CREATE TABLE media_schedules (
    num        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         uuid NOT NULL UNIQUE,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    device_id  uuid NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    media_id   uuid REFERENCES media (id) ON DELETE SET NULL,
    trigger_at timestamptz NOT NULL,
    timezone   text NOT NULL,
    recurrence text,
    exclusions text[] NOT NULL,
    misfire    text NOT NULL CHECK (misfire IN ('fire', 'skip')),
    grace_s    integer NOT NULL,
    enabled    boolean NOT NULL,
    created_at timestamptz NOT NULL,
    -- Occurrences up to here are in their table; more are planned at plan_at, or never.
    planned_at timestamptz,
    plan_at    timestamptz
);
CREATE INDEX media_schedules_user ON media_schedules (user_id, num);
CREATE INDEX media_schedules_device ON media_schedules (device_id);
CREATE INDEX media_schedules_media ON media_schedules (media_id);
CREATE INDEX media_schedules_plan ON media_schedules (plan_at) WHERE plan_at IS NOT NULL;

CREATE TABLE schedule_occurrences (
    num             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    schedule_num    bigint NOT NULL REFERENCES media_schedules ON DELETE CASCADE,
    due_at          timestamptz NOT NULL,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'triggered',
                        'acknowledged', 'completed', 'failed', 'missed', 'cancelled')),
    command_id      uuid,
    triggered_at    timestamptz,
    acknowledged_at timestamptz,
    completed_at    timestamptz,
    detail          text NOT NULL DEFAULT '',
    version         integer NOT NULL DEFAULT 0,
    -- It fires once (invariant I7).
    UNIQUE (schedule_num, due_at)
) WITH (fillfactor = 70);
CREATE INDEX schedule_occurrences_due ON schedule_occurrences (due_at) WHERE state = 'pending';
CREATE INDEX schedule_occurrences_command ON schedule_occurrences (command_id)
    WHERE command_id IS NOT NULL;
