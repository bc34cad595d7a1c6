"""The harness on relays that change what passes, or have limits: each fails its own cases."""

from __future__ import annotations

import pytest

from tests.contract.mutants import changing, limits
from tests.contract.mutants.judging import batches_of, wrong_in


@pytest.mark.parametrize("names", batches_of(changing, limits))
async def test_mutant_fails_the_cases_that_are_written_beside_it_and_no_other(names: list[str]) -> None:
    wrong = await wrong_in(names)
    assert not wrong, wrong
