"""From a `Response` to the `Script` that the server performs: HTTP framing, and every cut. Pure.

- `cuts`: what a cut is and how it is written, and one level of cutting that knows how many tokens it has let through.
- `head`: the head, how the end of the body is told (RFC 9112 section 6), whether the connection lives on.
- `script`: the actions.
"""

from mockserver.splits.cuts import Cuts, parse_cut
from mockserver.splits.head import framing_of
from mockserver.splits.script import script_of

__all__ = ["Cuts", "framing_of", "parse_cut", "script_of"]
