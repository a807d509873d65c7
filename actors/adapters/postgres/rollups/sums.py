"""SQL that adds up readings and never fails because of their values.

PostgreSQL raises an error when a float8 overflows, and when a product or quotient of numbers that
are not 0 becomes 0. So huge values are added up separately, scaled down, as in
`protocol.rest.charts.merged`; both give the same result.

    SELECT ts, {COLUMNS} FROM (SELECT ts, {PARTS} FROM parts GROUP BY ts) g

where `parts` has the columns `count, sum, mean, min, max` (see `ONE` for a reading). A row with a
negative count and sum takes back what another one has.
"""

from protocol.rest.charts import HUGE_FROM, SCALE, SCALED_MAX

# A reading as a number: a bool counts as 1 or 0, a text as nothing.
VALUE = "coalesce(number, boolean::integer)"
ONE = "1::bigint AS count, v AS sum, v AS mean, v AS min, v AS max"
# As they are written to tables.
NAMES = "count, sum, mean, min, max"

_SCALE = f"{SCALE!r}::float8"
_SCALED_MAX = f"{SCALED_MAX!r}::float8"
_IS_HUGE = f"(sum IS NULL OR abs(sum) >= {HUGE_FROM!r}::float8)"

PARTS = f"""
    sum(count)::bigint AS count,
    sum(sum) FILTER (WHERE NOT {_IS_HUGE}) AS ordinary,
    sum(CASE WHEN sum IS NULL THEN mean * {_SCALE} * count ELSE sum * {_SCALE} END)
        FILTER (WHERE {_IS_HUGE}) AS huge,
    min(min) AS min, max(max) AS max
"""

# Beside what is huge, what would vanish by the scaling is nothing.
_TOTAL = f"(huge + CASE WHEN abs(ordinary) >= 1e-280 THEN ordinary * {_SCALE} ELSE 0 END)"
COLUMNS = f"""
    count,
    CASE WHEN huge IS NULL THEN ordinary
        WHEN abs({_TOTAL}) <= {_SCALED_MAX} THEN {_TOTAL} / {_SCALE} END AS sum,
    greatest(min, least(max, CASE
        WHEN huge IS NOT NULL
            THEN greatest(-{_SCALED_MAX}, least({_SCALED_MAX}, {_TOTAL} / count)) / {_SCALE}
        WHEN abs(ordinary) >= count * 1e-323::float8 THEN ordinary / count
        ELSE 0 END)) AS mean,
    min, max
"""
