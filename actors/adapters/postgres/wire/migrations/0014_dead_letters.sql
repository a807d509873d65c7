-- Work that fails for what it contains, put aside with its reason and tried again with growing
-- pauses. No reference to users: what is put aside may be the very row that breaks a rule.
CREATE TABLE dead_letters (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    work        text NOT NULL CHECK (length(work) BETWEEN 1 AND 40),
    subject     text NOT NULL CHECK (length(subject) BETWEEN 1 AND 300),
    user_id     uuid,
    reason      text NOT NULL CHECK (length(reason) <= 300),
    detail      text NOT NULL CHECK (length(detail) <= 2000),
    attempts    integer NOT NULL CHECK (attempts > 0),
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL,
    next_try_at timestamptz NOT NULL,
    UNIQUE (work, subject)
);
CREATE INDEX dead_letters_due ON dead_letters (work, next_try_at);

-- An occurrence that was put aside is claimed again from held_until on: its due time is its name.
ALTER TABLE schedule_occurrences ADD COLUMN held_until timestamptz;
DROP INDEX schedule_occurrences_due;
CREATE INDEX schedule_occurrences_due ON schedule_occurrences ((coalesce(held_until, due_at)))
    WHERE state = 'pending';
