"""The contract harness: does this proxy really stream? Both ends of the wire are ours, the proxy stands in the middle.

The upstream does not send piece N+1 until the client holds piece N, so that what buffers is caught by cause, not by
timing. `cases` has a row for each promise, `runner` runs them, `report` shows what was found and the evidence for it.
"""
