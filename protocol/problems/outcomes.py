"""Texts about what became of things: alarms of devices, commands, plays, webhook deliveries.

They are kept with their record (`code`, `params`) beside what devices and receivers said.
"""

TEXTS = {
    # Why a device is offline.
    "offline_reported": "reported offline, or lost its connection",
    "offline_silent": "silent for more than {seconds} s",
    # A device whose connections the broker ends again and again.
    "loop_space": (
        "device disconnected in a loop: the broker ended the connection: a topic of a message or "
        "of the will has a space, a tab or a line end"
    ),
    "loop_wildcard": (
        "device disconnected in a loop: the broker ended the connection: a topic of a message has "
        "+ or #"
    ),
    "loop_too_large": (
        "device disconnected in a loop: the broker ended the connection: a message has {size} "
        "bytes; the maximum is {most}"
    ),
    "loop_malformed": "device disconnected in a loop: the broker ended the connection: {problem}",
    # Commands.
    "command_unanswered": "the device did not answer in time",
    "command_never_sent": "was never sent",
    "command_cancelled": "cancelled",
    # Plays of a schedule.
    "play_late": "{late} s late; at most {most} s are allowed",
    "play_offline": "the device was offline",
    "play_without_media": "its media is gone",
    # Webhook deliveries.
    "delivery_unanswered": "no answer within {seconds} s",
    "delivery_not_public": "{host} has no address on a public network",
    "delivery_unconnected": "no connection: {problem}",
    "delivery_untrusted": "no secure connection: {problem}",
    "delivery_answer_invalid": "no valid answer: {problem}",
    "delivery_redirected": "redirects are not followed",
    "delivery_unsent": "could not be sent: {problem}",
    "delivery_failed": "failed in a way that nobody foresaw; it is in the log",
    # What an entry of the activity log is about, where it is no name.
    "log_devices": "{count} devices from a file",
    "log_readings": "{feed}: {count} readings",
    "log_messages": "{count} messages",
    "log_message": "1 message",
    "log_wrong_code": "wrong authentication code",
    "log_by_operator": "by the operator",
    "log_codes_left": "{count} left",
    # A new password or email address, and what has a secret of its own.
    "log_keys_login_revoked": "API keys ({keys}) and the MQTT login revoked",
    "log_keys_login_left": "API keys ({keys}) and the MQTT login not revoked",
    "log_keys_revoked": "API keys ({keys}) revoked",
    "log_keys_left": "API keys ({keys}) not revoked",
    "log_login_revoked": "the MQTT login revoked",
    "log_login_left": "the MQTT login not revoked",
    "log_nothing_left": "there are no API keys and no MQTT login",
    "log_email_keys_login_revoked": (
        "{before} to {after}; API keys ({keys}) and the MQTT login revoked"
    ),
    "log_email_keys_login_left": (
        "{before} to {after}; API keys ({keys}) and the MQTT login not revoked"
    ),
    "log_email_keys_revoked": "{before} to {after}; API keys ({keys}) revoked",
    "log_email_keys_left": "{before} to {after}; API keys ({keys}) not revoked",
    "log_email_login_revoked": "{before} to {after}; the MQTT login revoked",
    "log_email_login_left": "{before} to {after}; the MQTT login not revoked",
    "log_email_nothing_left": "{before} to {after}; there are no API keys and no MQTT login",
    "log_email_change": "{before} to {after}",
}
