-- What ended long ago is forgotten (commands and occurrences are written roughly in order of time).
CREATE INDEX schedule_occurrences_old ON schedule_occurrences USING brin (due_at);
