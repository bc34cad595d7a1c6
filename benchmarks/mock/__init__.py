"""Is the mock server as fast, as exact and as light as it has to be? One package for `python -m benchmarks mock`.

- `question.py`: the four questions in order, the table and the JSON; `throughput.py`, `pacing.py`, `crowd.py` and
  `start.py` ask one each and say how its figures are taken.
- `control.py` and `client.py`: two programs of their own that import nothing of ours, a minimal asyncio server as the
  bound of what this machine can show, and the client that stamps every read.
- `servers.py` starts and stops servers, `aimock.py` is the peer from npm, `rounds.py` lets servers take turns under the
  client, `figures.py` makes numbers of stamps, `journal.py` reads what the mock says about itself.
"""
