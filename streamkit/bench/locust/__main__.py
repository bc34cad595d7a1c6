"""`python -m streamkit.bench.locust` is `locust` with our part loaded: all of Locust's options are there."""

from __future__ import annotations

import sys
from pathlib import Path

from streamkit.errors import ConfigError

USAGE = 2


def main() -> None:
    """Run Locust.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from locust.main import main as locust
    except ModuleNotFoundError as error:
        raise ConfigError("Locust is not installed: pip install 'streamkit[locust]'") from error
    if {"-h", "--help"} & {*sys.argv[1:]}:  # Locust shows its help before it has read any file with more options
        from streamkit.bench.locust import locustfile  # noqa: F401
    sys.argv[1:1] = ["-f", str(Path(__file__).with_name("locustfile.py"))]
    locust()


if __name__ == "__main__":
    try:
        main()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(USAGE)
