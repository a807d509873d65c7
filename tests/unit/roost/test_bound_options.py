"""How much anybody may have, as operators set it."""

import pytest

from protocol.errors import SettingsError
from roost.bound_options import BoundOptions
from web.http.bounds import Bounds


def test_what_is_not_set_is_as_the_defaults_say() -> None:
    given = BoundOptions(devices_of_user=7).bounds()
    assert (given.devices, given.feeds, given.webhooks) == (7, Bounds().feeds, Bounds().webhooks)


@pytest.mark.parametrize("number", [0, -1, 10**9])
def test_a_bound_that_cannot_be_is_one_clear_line(number: int) -> None:
    with pytest.raises(SettingsError, match="feeds of user"):
        BoundOptions(feeds_of_user=number).bounds()
