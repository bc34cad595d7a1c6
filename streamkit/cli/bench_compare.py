"""`streamkit bench compare`: two saved results beside each other, and the conditions that a script wants judged."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from streamkit.cli.bench_run import print_blocks
from streamkit.cli.edge import IO_FAILED
from streamkit.cli.reports import check_places, read_file, told_to, write_reports
from streamkit.errors import ConfigError

__all__ = ["start"]

NEGATIVE: Final = 1


def start(options: Mapping[str, Any]) -> None:
    """Compare, and exit: 1 where a condition failed.

    Raises:
        ConfigError: a file is no result, or a condition is none.
    """
    from streamkit.bench.compare import compare
    from streamkit.bench.conditions import judge_all, outcome_of, parse_fail_if
    from streamkit.bench.report.blocks_compare import comparison_blocks
    from streamkit.bench.report.document import read_document

    conditions = [parse_fail_if(text) for text in options["conditions"]]
    check_places(options, ("json",))
    written = options["json_path"]
    if written is not None and str(written) != "-":
        for name in ("before", "after"):
            if options[name].resolve() == written.resolve():
                raise ConfigError(
                    f"--json {written} would take the place of a result that is compared: name another file"
                )
    names = str(options["before"]), str(options["after"])
    if names == ("-", "-"):
        raise ConfigError("A.json and B.json cannot both come on standard input: name a file for one of them")
    a, b = (
        read_document(read_file(options[name], shown), str(options[name]))
        for name, shown in (("before", "A.json"), ("after", "B.json"))
    )
    if names[0] == names[1]:
        names = "A", "B"
    comparison = compare(a, b, names=names)
    if conditions and not comparison.rows:
        raise ConfigError(f"{names[0]} and {names[1]} have no load in common: there is nothing to judge")
    judged = judge_all(conditions, a, b, names=names)

    def as_json() -> str:
        import msgspec

        found = {
            "a": names[0],
            "b": names[1],
            "confidence": comparison.confidence,
            "rows": comparison.rows,
            "notes": comparison.notes,
            "conditions": judged,
            "outcome": outcome_of(judged) if judged else None,
        }
        return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"

    is_written = write_reports(options, {"json": as_json})
    print_blocks(comparison_blocks(comparison, judged, names=names), told_to(options))
    if not is_written:
        sys.exit(IO_FAILED)
    sys.exit(NEGATIVE if judged and outcome_of(judged) == "failed" else 0)
