-- A command's id, which clients choose, is unique for its user only: nobody learns from a refusal that
-- somebody else has it, and nobody takes it from others.
ALTER TABLE commands DROP CONSTRAINT commands_id_key;
-- So what was put aside has the user in its name.
UPDATE dead_letters SET subject = user_id || '/' || subject
WHERE work = 'commands' AND user_id IS NOT NULL AND length(subject) = 36;
