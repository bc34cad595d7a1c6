"""Is the gateway as quick, as cheap and as faithful as it has to be? One package for `python -m benchmarks gateway`.

- `question.py`: the six questions in order, the table and the JSON; `delay.py`, `conversion.py`, `streams.py`,
  `leaving.py`, `memory.py` and `watching.py` ask one each and say how its figures are taken.
- `contenders.py`: the ways from a client to an upstream, and how each is started: the gateway, as it passes on and as
  it converts, a bare trio byte relay (`relay.py`), an ASGI relay (`asgi_relay.py`), nginx, haproxy and LiteLLM's proxy.
- `wire.py`: what upstream and client say to each other. `pair.py` plays both in one thread, one stream after another;
  `upstream.py` and `client.py` are programs of their own that play them for many streams at once, `load.py` runs them.
- `lockstep.py`: the gateway's paths in `python -m benchmarks forwarding`.
"""
