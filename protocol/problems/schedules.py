"""Texts about schedules: their start, time zone, recurrence rule and exclusions."""

TEXTS = {
    "target_deleted": "The device or the media was deleted",
    "start_past": "is {seconds} s in the past, or excluded",
    "start_years": "must be within the years 1 to 9999",
    "zone_unknown": "'{zone}' is not an IANA time zone such as Europe/Berlin",
    "zone_missing": "'{zone}' is not a time zone known to this server",
    "exclusions_many": "must be at most {most} entries",
    "exclusions_all": "leave no occurrence (or none in {steps} candidates)",
    "exclusion_invalid": "'{text}' is neither an RFC 3339 time nor a date such as 2026-12-24",
    # A rule as a whole.
    "rule_too_long": "is longer than {most} characters",
    "rule_line": "must be one line such as FREQ=WEEKLY;BYDAY=MO,WE",
    "rule_never": "has no occurrence on or after its start (or none in {steps} candidates)",
    "rule_count_far": "needs more than {steps} candidates to reach COUNT; use UNTIL instead",
    "rule_freq_missing": "has no FREQ",
    # What belongs elsewhere.
    "rule_start": "takes no {part}: the start and its time zone are given apart from the rule",
    "rule_end": "takes no {part}: something is due at an instant, which has no end",
    "rule_duration": "takes no {part}: something is due at an instant, which has no duration",
    "rule_zone": "takes no {part}: the time zone is given apart from the rule",
    "rule_exclusions": "takes no {part}: dates that are left out are given apart from the rule",
    "rule_further_date": "takes no {part}: a further date needs a schedule of its own",
    "rule_further_rule": "takes no {part}: a further rule needs a schedule of its own",
    "rule_event": "takes no {part}: of an event, send the value of RRULE alone",
    # A part of a rule.
    "rule_part_unknown": "'{part}' is not a supported part of a rule",
    "rule_part_empty": "'{part}' has no value",
    "rule_part_twice": "{part} is given twice",
    "rule_number": "{part}={value}: must be {least} to {most}",
    "rule_number_signed": "{part}={value}: must be {least} to {most} or -{most} to -{least}",
    "rule_frequency": "{part}={value}: must be one of {words}",
    "rule_weekday": "{part}: '{value}' is not a weekday such as MO or -1FR",
    "rule_week_start": "{part}={value}: must be a weekday such as MO",
    "rule_until": "{part}={value}: must be a time such as 20261231T170000Z, or a date",
    "rule_second": "BYSECOND must be {second}, the second of the start",
    # Parts that exclude each other.
    "rule_count_and_until": "COUNT and UNTIL cannot be given together",
    "rule_week_number": "BYWEEKNO requires FREQ=YEARLY",
    "rule_year_day": "BYYEARDAY cannot be used with FREQ={freq}",
    "rule_month_day": "BYMONTHDAY cannot be used with FREQ=WEEKLY",
    "rule_numbered_weekday": (
        "BYDAY with a number requires FREQ=MONTHLY, or FREQ=YEARLY without BYWEEKNO"
    ),
    "rule_sixth_weekday": "BYDAY: no month has a weekday more than five times",
}
