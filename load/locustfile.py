"""What Locust runs: `locust -f load/locustfile.py --headless -u 10 -t 30s`, or without `--headless` for its web page.

The deployment is the one that `ringback.toml` and the environment name, or the embedded sandbox if they name none. Each
user stands for one call a second. A mistake in the configuration ends Locust with exit code 2; broken limits end it
with 1, and a run that decides nothing with 3.
"""

from __future__ import annotations

from locust import events

from lifecycle import LifecycleUser
from ringback.loadgen.plain import attach

__all__ = ["LifecycleUser"]

attach(events)
