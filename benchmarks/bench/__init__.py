"""How far off is `streamkit bench`, and how much can it ask? Beside the truth, and beside its peers.

`server.py` is the truth: a server that stamps its own reads and writes. `truth.py` starts it and fetches what it has
stamped. `accuracy.py`, `rate.py` and `weight.py` are the questions; `peers.py` runs aiperf and guidellm, where they are
installed, against the same server (`--peers`).
"""
