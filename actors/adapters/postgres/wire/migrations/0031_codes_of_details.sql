-- Beside its English text a record keeps the text's code and parameters (JSON), from which its readers
-- make the text in their language. What was stored before has none, and is shown in English.
ALTER TABLE rejected_messages ADD COLUMN coded text;
ALTER TABLE alarms ADD COLUMN coded text;
ALTER TABLE commands ADD COLUMN coded text;
ALTER TABLE schedule_occurrences ADD COLUMN coded text;
ALTER TABLE webhook_deliveries ADD COLUMN coded text;
ALTER TABLE audit_log ADD COLUMN coded text;
