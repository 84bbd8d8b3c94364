"""Load generation: arrivals, ledger, histograms, limits, and the engine that Locust's users run on.

What lives here: everything that the scenarios in `load/` are made of. What does not: the scenarios themselves, and
reports. `run` is the way in and imports neither gevent nor Locust; a run happens in a child process, `python -m
ringback.loadgen`, where gevent takes over the standard library before anything else is imported. This module stays
empty for that reason.
"""
