"""What is said: topics, payloads, messages, events and resources. No I/O, no Trio, no clock."""
