"""What one client may take of a server: bytes, seconds, connections. Pure.

Every limit is there because something that has none can be made to run out. `math.inf` lifts a time limit.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamkit.errors import ConfigError

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a server.

    Attributes:
        max_head_bytes: request line and headers together; more is answered with 414 or 431.
        max_body_bytes: a request's body, unchunked; more is answered with 413.
        head_timeout_s: from the first byte of a head to its last, or 408; and from the connection to the first byte.
        body_timeout_s: between two reads of a body, or 408.
        idle_timeout_s: from one request's end to the next one's first byte. Then the connection is closed.
        linger_timeout_s: how long what a client still sends is thrown away before its connection is closed for good.
        max_connections: open at once; one more is answered with 503.

    Raises:
        ConfigError: one of them is not positive.
    """

    max_head_bytes: int = 65536
    max_body_bytes: int = 32 * 2**20
    head_timeout_s: float = 30.0
    body_timeout_s: float = 60.0
    idle_timeout_s: float = 75.0
    linger_timeout_s: float = 2.0
    max_connections: int = 4096

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not value > 0:
                raise ConfigError(f"limit {name} is {value}: it has to be more than 0")
