"""How much anybody may have, as operators set it."""

import pytest

from protocol.errors import SettingsError
from roost.bound_options import BoundOptions
from roost.web_options import WebOptions
from web.http.bounds import Bounds


def test_what_is_not_set_is_as_the_defaults_say() -> None:
    given = BoundOptions(devices_of_user=7).bounds()
    assert (given.devices, given.feeds, given.webhooks) == (7, Bounds().feeds, Bounds().webhooks)


@pytest.mark.parametrize("number", [0, -1, 10**9])
def test_a_bound_that_cannot_be_is_one_clear_line(number: int) -> None:
    with pytest.raises(SettingsError, match="feeds of user"):
        BoundOptions(feeds_of_user=number).bounds()


def test_sums_of_minutes_are_kept_for_some_days_or_always() -> None:
    for days in (0, 1, 3_650):
        assert WebOptions(minute_sums_days=days).settings(Bounds()).minute_sums_days == days
    for days in (-1, 3_651):
        with pytest.raises(SettingsError, match="minute sums days"):
            WebOptions(minute_sums_days=days).settings(Bounds())
