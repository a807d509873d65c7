import msgspec


class Recurrence(msgspec.Struct, frozen=True, kw_only=True):
    start_us: int
    timezone: str = "UTC"
    rule: str | None = None
    exclusions: tuple[str, ...] = ()


def recurrence(
    start_us: int,
    timezone: str | None = None,
    rule: str | None = None,
    exclusions: tuple[str, ...] = (),
) -> Recurrence:
    return Recurrence(
        start_us=start_us, timezone=timezone or "UTC", rule=rule, exclusions=exclusions
    )


def occurrences(recurrence: Recurrence, after_us: int, count: int) -> list[int]:
    return [recurrence.start_us] if recurrence.start_us > after_us else []
