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
    devices: Annotated[int, Parameter(help="Number of devices.")] = 10,
    rate: Annotated[float, Parameter(help="Readings a second of all devices together.")] = 10.0,
    seconds: Annotated[
        float | None, Parameter(help="Duration in seconds. Default: until Ctrl-C.")
    ] = None,
    url: Annotated[
        str,
        Parameter(help="URL of the running Roost.", env_var="ROOST_HTTP"),
    ] = HERE,
    mqtt_public_url: Annotated[
        str | None,
        Parameter(
            help="MQTT address. Default: the one that the server shows."
            " A user name in it is used for every device."
        ),
    ] = None,
    email: Annotated[
        str | None, Parameter(help="Account of the devices. Default: a new account.")
    ] = None,
    password: Annotated[
        str | None, Parameter(help="Password of that account. Default: asked for on a terminal.")
    ] = None,
    prefix: Annotated[str, Parameter(help="Prefix of device codes.")] = "virtual",
    data_dir: Annotated[
        Path, Parameter(help="Directory of fleet.json, which stores the devices.")
    ] = DATA_DIR,
) -> None:
    """Run a virtual fleet over real MQTT against a running Roost, and check what it stores."""
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
