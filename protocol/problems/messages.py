"""Texts about messages of devices that are refused, and about rows of imported readings.

They are kept with the message (`code`, `params`). Names of a device's own fields stay as they are.
"""

TEXTS = {
    # The topic.
    "topic_foreign": "not a topic that devices publish to",
    "topic_unknown": (
        "no topic of a device: '{topic}'; use feeds/KEY, feeds, status or commands/ID/ack"
    ),
    "topic_mistaken": "no topic of a device: '{topic}'; use {meant}",
    # The payload as a whole.
    "message_too_large": "the payload is {size} bytes; the maximum is {most}",
    "message_empty": "the payload is empty",
    "message_not_utf8": "byte {byte} is not valid UTF-8",
    "message_not_json": "not JSON",
    "message_not_json_at": "not JSON: {problem}, at character {place}",
    "message_cut": "the JSON is not complete: it ends after {count} characters",
    "message_pieces": "not JSON, and more than {most} keys and values",
    "message_too_deep": "the JSON nests too deeply",
    "message_repeats": "more than {most} keys come more than once in one object",
    "key_repeats": "the key '{key}' comes more than once in one object; its last value counts",
    # Readings.
    "reading_no_value": 'the object has no "value"',
    "readings_none": "the message has no readings",
    "readings_many": "more than {most} readings in one message",
    "readings_shape": "readings must be an object of feed keys and values",
    "values_shape": '"values" must be an object of feed keys and values',
    "beside_values": "'{key}' stands beside \"values\"; readings stand within it",
    "feed_key_shape": ("a feed key must be 1 to 64 of a-z, 0-9, _ and -, and not ts, id or values"),
    "message_id_shape": "id must be a string of 1 to 64 characters",
    "feed_unknown": "this device has no feed '{key}'",
    "feed_off": "the feed '{key}' is disabled",
    "row_too_short": "the row is too short",
    # Values.
    "value_missing": "the value is missing",
    "value_shape": "a value must be a number, a string or a bool",
    "value_not_json": "'{value}' is not a JSON value",
    "value_not_number": "'{value}' is not a number",
    "value_not_finite": "{value} is not a number that can be stored",
    "value_beyond": "{value} is beyond the numbers of float64",
    "value_of_number_feed": "a number feed accepts a JSON number or a numeric string",
    "value_of_bool_feed": "a bool feed accepts true, false, 1, 0, on and off",
    "value_of_text_feed": "a text feed accepts a string",
    "value_zero_character": "the text contains U+0000",
    "value_not_utf8": "the text is not valid UTF-8",
    "value_too_long": "the text is {size} bytes long; the maximum is {most}",
    "value_outside": "{value} is outside the thresholds",
    "value_below": "{value} is below the minimum {limit}",
    "value_above": "{value} is above the maximum {limit}",
    # Times.
    "time_format": "'{text}' is not an RFC 3339 time such as 2026-01-31T08:05:00Z",
    "time_impossible": "'{text}' is not a time: {problem}",
    "time_shape": "ts must be RFC 3339 text or a Unix time",
    "time_years": "ts is outside the years 1 to 9999",
    "time_before": "ts is {time}, before 2000-01-01",
    "time_ahead": "ts is {time}, more than five minutes in the future of {now}",
    # Fields of a status and of an answer to a command.
    "status_shape": "a status is an object, or the bare word online or offline",
    "status_unknown": "a status has no field {fields}",
    "ack_shape": "an answer is an object with a status",
    "ack_status": "status must be delivered, succeeded or failed",
    "ack_result_too_long": "result is longer than {most} bytes",
    "command_unknown": "no command of that id was sent to this device",
    "said_empty": "{field} is empty",
    "said_not_text": "{field} must be a text",
    "said_not_number": "{field} accepts a JSON number or a numeric string",
    "said_not_whole": "{field} must be an integer",
    "said_beyond": "{field} is out of range: at most {most}",
    "said_out_of_range": "{field} is out of range",
    "said_twice": "{field} stands beside it, and counts",
    "said_too_long": "{field} is longer than {most} characters",
    "said_too_large": "{field} is {size} bytes long; the maximum is {most}",
    "said_zero_character": "{field} contains U+0000",
    "said_not_utf8": "{field} is not valid UTF-8",
    # Retained messages that are cleared from the broker.
    "retained_too_large": "it has {size} bytes; at most {most} stay retained",
    "retained_many": "at most {most} stay retained of a device",
    "retained_bytes": "at most {most} bytes stay retained of a device",
    "retained_full": "too much is retained of all devices",
    "retained_nowhere": "nothing is retained there",
    # Mistakes of ours.
    "message_failed": "the message could not be handled: {problem}",
    "message_unstorable": "the message cannot be stored: {problem}",
    "device_failing": "the device's actor failed again and again",
    # What the broker does not take, and why it ended a connection.
    "broker_denied": (
        "denied by the broker: a device publishes below its own prefix only, and not to its "
        "commands and errors"
    ),
    "broker_denied_filter": ("denied by the broker: a device subscribes below its own prefix only"),
    "broker_filter_space": "denied by the broker: a filter of a subscription has a space",
    "ended_space": (
        "the broker ended the connection: a topic of a message or of the will has a space, a tab "
        "or a line end"
    ),
    "ended_wildcard": "the broker ended the connection: a topic of a message has + or #",
    "ended_too_large": (
        "the broker ended the connection: a message has {size} bytes; the maximum is {most}"
    ),
    "ended_malformed": "the broker ended the connection: {problem}",
    "early_space": (
        "before it logged in, the broker ended the connection: a topic of a message or of the will "
        "has a space, a tab or a line end"
    ),
    "early_wildcard": (
        "before it logged in, the broker ended the connection: a topic of a message has + or #"
    ),
    "early_too_large": (
        "before it logged in, the broker ended the connection: a message has {size} bytes; the "
        "maximum is {most}"
    ),
    "early_malformed": "before it logged in, the broker ended the connection: {problem}",
}
