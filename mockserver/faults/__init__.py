"""What can go wrong, on purpose: pure functions from a response to a response."""
