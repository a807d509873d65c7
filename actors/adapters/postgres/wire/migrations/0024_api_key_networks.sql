-- From where an API key was used: the first use from another network is in the activity log.
ALTER TABLE api_keys ADD COLUMN networks text[] NOT NULL DEFAULT '{}';
