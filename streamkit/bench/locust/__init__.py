"""More than one machine: Locust's master and workers start, spread, stop and collect; what measures is our own engine.

Each Locust worker has an engine in a process of its own (`engine`), because gevent and trio do not mix in one, and
because a process that also talks to Locust would measure that, too. It calibrates itself, and tells what it finds as
lines of JSON, which the worker (`station`) passes on as they are. The master (`master`) deals out the load, lets all
begin together, and makes one document of everything (`collection`).

`streamkit/bench/README.md` has the commands.
"""
