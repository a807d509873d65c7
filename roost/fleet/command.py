"""The command that runs a virtual fleet: simulate."""

import getpass
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from protocol.errors import SettingsError
from roost import logs
from roost.fleet.options import FleetOptions, check_options
from roost.fleet.simulate import simulate
from roost.interrupting import run
from roost.options import DATA_DIR, HERE


def simulate_command(
    *,
    devices: Annotated[int, Parameter(help="How many devices.")] = 10,
    rate: Annotated[float, Parameter(help="Readings a second, all devices together.")] = 10.0,
    seconds: Annotated[
        float | None, Parameter(help="For how long; without it, until Ctrl-C.")
    ] = None,
    url: Annotated[
        str,
        Parameter(help="Where the running Roost serves people.", env_var="ROOST_HTTP"),
    ] = HERE,
    mqtt_public_url: Annotated[
        str | None,
        Parameter(
            help="Where devices connect; without it, where the server says."
            " A user name in it is every device's."
        ),
    ] = None,
    email: Annotated[
        str | None, Parameter(help="Whose devices; without it, a new account's.")
    ] = None,
    password: Annotated[
        str | None, Parameter(help="With --email; asked for on a terminal.")
    ] = None,
    prefix: Annotated[str, Parameter(help="What their codes begin with.")] = "virtual",
    data_dir: Annotated[
        Path, Parameter(help="Where it remembers the devices, in fleet.json.")
    ] = DATA_DIR,
) -> None:
    """Run a virtual fleet over real MQTT, against a Roost that runs, and compare what is stored."""
    logs.configure("warning", "auto")
    if email is not None and password is None:
        if not sys.stdin.isatty():
            raise SettingsError("--email needs --password, or ROOST_PASSWORD")
        password = getpass.getpass("Password: ")
    options = FleetOptions(
        devices=devices,
        rate=rate,
        seconds=seconds,
        url=url,
        mqtt_url=mqtt_public_url or None,
        email=email,
        password=password,
        prefix=prefix,
        data_dir=data_dir,
    )
    run(simulate, check_options(options))
