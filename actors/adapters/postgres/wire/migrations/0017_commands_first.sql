-- What was never sent is looked for apart from what is sent again.
DROP INDEX commands_due;
CREATE INDEX commands_due ON commands (least(attempts, 1), next_try_at)
    WHERE state IN ('queued', 'sent');
