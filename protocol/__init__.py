"""Grammar and data: topics, payloads, messages, events and records. No I/O, no Trio, no clock."""
