"""All mutants: importing them is what registers them."""

from __future__ import annotations

from tests.contract.mutants import changing, ending, heads, holding, leaving, limits
from tests.contract.mutants.ending import NoTrailers
from tests.contract.mutants.holding import Gzip
from tests.contract.mutants.relay import Relay
from tests.contract.mutants.row import MUTANTS, Mutant

__all__ = ["MUTANTS", "RIGHT", "Mutant"]

FILES = (changing, ending, heads, holding, leaving, limits)

RIGHT: tuple[type[Relay], ...] = (Relay, Gzip, NoTrailers)
"""Relays that are not wrong: no case may fail."""
