"""`ringback init`: write a configuration file to fill in."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ringback.config import ConfigError

__all__ = ["TEMPLATE", "init"]

TEMPLATE = """\
# Which deployment Ringback talks to, and which telephone numbers it may dial.
# Every key can be set by the environment too: RINGBACK_DEPLOYMENT__BASE_URL, RINGBACK_BUDGET__CALLS, ...

[deployment]
base_url = "https://ivr.example.com:22222"
project = "Collections"
tenant = "Default"
access_token_env = "RINGBACK_ACCESS_TOKEN"     # the variable that holds the token; or access_token_file
scenario_path = "/ivr/collections"
orchestrator_url = "https://orchestrator.example.com"
display_number = "200"                          # the caller id
locale = "en-US"
# ca_bundle = "corp-ca.pem"                     # client_cert and client_key likewise; verify = false only in a lab

[lines]                                         # the only numbers that Ringback dials, by the state they produce
answered = "5550000001"                         # leave out the states that you have no line for
busy = "5550000002"
# error = "5550000003"
# invalid_number = "5550000004"
# no_answer = "5550000005"
# rejected = "5550000006"
# temporarily_unavailable = "5550000007"

# [variables]                                   # the project's variables, each with a value that it may have;
# customerName = "sample"                       # then no others are sent. Left out: made-up ones are sent

[budget]
calls = 60                                      # accepted calls that a check may place
triggers_per_second = 20
# cost_per_call = 0.02

[timing]
request = "10s"
settle = "60s"                                  # from a trigger to its call's final state, at most
poll_interval = "500ms"
delivery = "15s"
queued_delivery = "60s"

# [result_destination]                          # without it, the clauses on deliveries are not exercised
# listen = "0.0.0.0:8099"
# public_url = "http://tester.example.com:8099" # how the deployment reaches this machine

# [dialect]
# pending_states = ["Ringing"]                  # this vendor's words for a call in progress

# [load]
# budget_calls = 1000                           # calls that load and gate may place

# [gate]
# rate = 20
# duration = "30s"

# [limits]
# "trigger.latency_ms.p99" = "< 500"
# "trigger.error_rate" = "< 0.001"
# "calls.lost" = "== 0"

# [[waivers]]
# clause = "ROB-01"
# reason = "vendor ticket 4711"
# expires = 2027-01-31
"""


def init(console: Console, path: Path, *, force: bool) -> int:
    """Write the template; raises `ConfigError` if the file exists or can't be written."""
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise ConfigError(str(path), None, "exists already", "use --force to overwrite it") from None
    except OSError as error:
        raise ConfigError(str(path), None, f"can't be written ({error.strerror})", "name another file") from None
    console.print(f"Wrote {path}. Fill it in, export RINGBACK_ACCESS_TOKEN, then: ringback check", soft_wrap=True)
    return 0
