"""Secrets among the settings: given as files, and warned of on the command line.

`ROOST_JWT_SECRET_FILE=/run/secrets/jwt` is `ROOST_JWT_SECRET` with what the file holds, as
containers and systemd hand over secrets. Everybody on a machine sees the arguments of its
processes.
"""

from collections.abc import Iterator, MutableMapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from protocol.errors import SettingsError, in_words

# Options without `--`; URLs are secret if they hold a password.
TEXTS = ("jwt-secret", "zalo-app-secret", "password")
URLS = ("database-url", "mqtt-url", "smtp-url")
BYTES_MAX = 65_536
SUFFIX = "_FILE"


def read_files(environ: MutableMapping[str, str]) -> None:
    """Replace each `ROOST_…_FILE` with what its file holds, without spaces and line ends around it.

    Raises:
        SettingsError: the file cannot be read or holds nothing, or the variable is set as well.
    """
    for option in (*TEXTS, *URLS):
        name = variable_of(option)
        path = environ.pop(name + SUFFIX, None)
        if path is None:
            continue
        if name in environ:
            raise SettingsError(f"{name} and {name}{SUFFIX} are both set; set one of them")
        environ[name] = _read(name + SUFFIX, Path(path))


def _read(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(BYTES_MAX + 1).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}: {path} cannot be read: {in_words(error)}") from None
    if not text or len(text) > BYTES_MAX:
        raise SettingsError(f"{name}: {path} is {'too large' if text else 'empty'}")
    return text


def visible(arguments: Sequence[str]) -> list[str]:
    """Lines about secrets that everybody on this machine can see."""
    return [
        f"--{option} is visible to everybody on this machine;"
        f" use {variable_of(option)} or {variable_of(option)}{SUFFIX}"
        for option, value in _given(arguments)
        if option in TEXTS or (option in URLS and _has_password(value))
    ]


def _given(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Options with their values: `--name=value` or `--name value`."""
    for n, argument in enumerate(arguments):
        if argument.startswith("--"):
            option, equals, value = argument[2:].partition("=")
            yield option, value if equals else " ".join(arguments[n + 1 : n + 2])


def _has_password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return "@" in url


def variable_of(option: str) -> str:
    """The environment variable of an option."""
    return "ROOST_" + option.upper().replace("-", "_")
