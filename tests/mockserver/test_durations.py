from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.durations import MAX_NS, parse_duration
from streamkit.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0", 0),
        ("0.0", 0),
        ("0s", 0),
        ("80us", 80_000),
        ("250ms", 250_000_000),
        ("250 ms", 250_000_000),
        ("1.5s", 1_500_000_000),
        ("0.000000001s", 1),
        ("2m", 120_000_000_000),
        ("10080m", MAX_NS),
    ],
)
def test_a_duration_is_exact(text: str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("50", "has no unit: write 50ms"),
        ("1.5", "has no unit"),
        ("", "is no duration"),
        ("-1s", "is no duration"),
        ("1h", "is no duration"),
        ("ms", "is no duration"),
        (".5s", "is no duration"),
        ("1e3ms", "is no duration"),
        ("inf", "is no duration"),
        ("٣ms", "is no duration"),
        ("1s\n", "is no duration"),
        ("0.0001us", "fraction of a nanosecond"),
        ("10081m", "more than a week"),
        ("999999999999999m", "more than a week"),
        ("9" * 100_000 + "s", "is no duration"),
    ],
)
def test_what_is_no_duration_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        parse_duration(text)
    assert len(str(caught.value)) < 200


@given(st.integers(0, MAX_NS))
def test_every_nanosecond_is_read_as_it_is_written(ns: int) -> None:
    seconds, rest_ns = divmod(ns, 10**9)
    assert parse_duration(f"{seconds}.{rest_ns:09d}s") == ns
