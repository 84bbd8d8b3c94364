"""Each mistake of a user ends in exit code 2 and one line with the fix, and nothing is sent."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from tests.forked import REAL_PYTHON

from .commands import CONFIG, TOKEN, Case, Ended, Listener, environment, listening, ringback, run_all

CHECK = ("check", "--config", "my.toml")
RECEIVER = '\n[result_destination]\nlisten = "127.0.0.1:0"\n'


@dataclass(frozen=True)
class Mistake:
    """A mistake, and what its message has to name."""

    name: str
    shown: tuple[str, ...]
    old: str = ""
    new: str = ""
    """`new` replaces `old` in the configuration, or is added at its end."""
    arguments: tuple[str, ...] = CHECK
    variables: dict[str, str] = field(default_factory=dict)
    token: bool = True
    file: str | bytes | None = None
    """The whole configuration, if it is a different one."""
    beside: dict[str, str | bytes] = field(default_factory=dict)

    def case(self, port: int) -> Case:
        good = CONFIG.format(port=port)
        if self.old:
            assert self.old in good
            text: str | bytes = good.replace(self.old, self.new.format(port=port))
        else:
            text = good + self.new.format(port=port)
        content = text if self.file is None else self.file
        token = {"RINGBACK_ACCESS_TOKEN": TOKEN} if self.token else {}
        return Case(self.arguments, {"my.toml": content, **self.beside}, {**token, **self.variables})


MISTAKES = [
    Mistake("client certificate that is none", ("my.toml: deployment.client_cert", "not a certificate", "PEM"),
            "display_number", 'client_cert = "bad.pem"\ndisplay_number', beside={"bad.pem": "nothing"}),
    Mistake("no such run", ("nowhere: not a run: no such directory", "name a run's directory"),
            arguments=("replay", "nowhere", "1")),
    Mistake("no run in a folder", (".: not a run: there is no verdict.json",), arguments=("report", ".")),
    Mistake("a level by another name", ("for '--level': 'all' is not one of 'must'", "ringback check --help"),
            arguments=("check", "--level", "all")),
    Mistake("limit on polls of a line", ("--limit", "no such metric", "docs/metrics.md"),
            arguments=("load", "--config", "my.toml", "--limit", "line.busy.poll.count > 0")),
    Mistake("limit on calls of a line that is not configured", ("this load has no line error", "answered, busy"),
            arguments=("load", "--config", "my.toml", "--limit", "line.error.calls.lost == 0")),
    # Mistakes that the specification lists.
    Mistake("missing file", ("no-such.toml", "no such file", "ringback init"),
            arguments=("check", "--config", "no-such.toml")),
    Mistake("TOML error", ("my.toml", "not TOML", "line 2"), 'base_url = "http', "base_url = http"),
    Mistake("unknown key", ("my.toml", "deployment.projct", "did you mean project?"), "project =", "projct ="),
    Mistake("unknown section", ("my.toml", "budgets", "did you mean budget?"), "[budget]", "[budgets]"),
    Mistake("wrong unit", ("timing.request", "10 minutes", "ms, s, m, h"), 'request = "1s"', 'request = "10 minutes"'),
    Mistake("no unit", ("timing.request", "needs a unit"), 'request = "1s"', "request = 10"),
    Mistake("token variable unset", ("deployment.access_token_env", "RINGBACK_ACCESS_TOKEN", "export"), token=False),
    Mistake("line with letters", ("lines.busy", "555-CALLME", "digits"), '"5550000002"', '"555-CALLME"'),
    Mistake("duplicate line", ("lines.busy", "same number as lines.answered"), '"5550000002"', '"5550000001"'),
    Mistake("duplicate line with a plus", ("lines.busy", "same number as lines.answered"),
            '"5550000002"', '"+5550000001"'),
    Mistake("missing CA file", ("deployment.ca_bundle", "corp-ca.pem", "no such file"),
            "[lines]", 'ca_bundle = "corp-ca.pem"\n[lines]'),
    Mistake("CA file without a certificate", ("deployment.ca_bundle", "PEM"), "[lines]",
            'ca_bundle = "ca.pem"\n[lines]', beside={"ca.pem": "nothing"}),
    Mistake("expired waiver", ("expires", "2020-01-31", "expired"),
            new='[[waivers]]\nclause = "ROB-01"\nreason = "known"\nexpires = 2020-01-31\n'),
    # Further mistakes.
    Mistake("waiver for no clause", ("waivers", "ROB-99", "no such clause"),
            new='[[waivers]]\nclause = "ROB-99"\nreason = "known"\nexpires = 2099-01-31\n'),
    Mistake("waivers as one table", ("waivers",), new='[waivers]\nclause = "ROB-01"\n'),
    Mistake("a folder for a file", ("irectory", "unreadable"), arguments=("check", "--config", ".")),
    Mistake("a file that is no text", ("my.toml", "UTF-8"), file=b"\xff\xfe\x00["),
    Mistake("an empty file named", ("deployment", ), file="[deployment]\n"),
    Mistake("no line at all", ("lines", "no line"), 'answered = "5550000001"\nbusy = "5550000002"', ""),
    Mistake("an emergency number", ("lines.busy", "emergency"), '"5550000002"', '"112"'),
    Mistake("a number that is no text", ("lines.busy", "quotes"), '"5550000002"', "5550000002"),
    Mistake("a base URL with a path too many", ("--base-url", "/v2"),
            arguments=(*CHECK, "--base-url", "http://127.0.0.1:1/v2/call")),
    Mistake("a base URL of another scheme", ("--base-url", "http"), arguments=(*CHECK, "--base-url", "ftp://x")),
    Mistake("a base URL with a password", ("password",), arguments=(*CHECK, "--base-url", "http://a:b@127.0.0.1:1")),
    Mistake("a base URL alone", ("deployment.",), arguments=("check", "--base-url", "http://127.0.0.1:1")),
    Mistake("the token in the file", ("deployment.access_token", "access_token_env"),
            "[lines]", 'access_token = "abc"\n[lines]'),
    Mistake("token file missing", ("deployment.access_token_file",), "[lines]", 'access_token_file = "t"\n[lines]'),
    Mistake("token file empty", ("deployment.access_token_file", "empty"), "[lines]",
            'access_token_file = "t"\n[lines]', beside={"t": "\n"}),
    Mistake("a certificate that is none", ("deployment.client_cert",), "[lines]",
            'client_cert = "c.pem"\n[lines]', beside={"c.pem": "nothing"}),
    Mistake("a key that is none", ("deployment.client_",), "[lines]",
            'client_cert = "c.pem"\nclient_key = "k.pem"\n[lines]',
            beside={"c.pem": trustme.CA().issue_cert("a.example").cert_chain_pems[0].bytes(), "k.pem": "nothing"}),
    Mistake("a variable of a wrong kind", ("RINGBACK_BUDGET__CALLS", "many", "whole number"),
            variables={"RINGBACK_BUDGET__CALLS": "many"}),
    Mistake("a variable for no key", ("RINGBACK_BUDGET__CALS", "did you mean calls?"),
            variables={"RINGBACK_BUDGET__CALS": "5"}),
    Mistake("no calls to spend", ("budget.calls", "0"), "calls = 60", "calls = 0"),
    Mistake("a limit that is none", ("limits", "poll.latency"), new='[limits]\n"poll.latency_ms.p99" = "fast"\n'),
    Mistake("a receiver nobody can reach", ("result_destination.public_url",),
            new='[result_destination]\nlisten = "0.0.0.0:8099"\n'),
    Mistake("a receiver's port that is taken", ("result_destination.listen", "{port}", "free port"),
            new='[result_destination]\nlisten = "127.0.0.1:{port}"\n'),
    Mistake("a receiver on a foreign address", ("result_destination.listen", "192.0.2.7"),
            new='[result_destination]\nlisten = "192.0.2.7:8099"\n'),
    Mistake("a receiver on a name that is none", ("result_destination.listen",),
            new='[result_destination]\nlisten = "no such.host.invalid:8099"\npublic_url = "http://x.example"\n'),
    Mistake("a receiver on a name with an empty label", ("result_destination.listen",),
            new='[result_destination]\nlisten = "a..b:8099"\n'),
    Mistake("a receiver's certificate that is none", ("result_destination.tls",),
            new=RECEIVER + 'tls_cert = "c.pem"\ntls_key = "k.pem"\n', beside={"c.pem": "no", "k.pem": "no"}),
    # On the command line.
    Mistake("no such clause", ("--clause", "ACK-33", "ACK-03"), arguments=(*CHECK, "--clause", "ACK-33")),
    Mistake("one clause of several is none", ("--clause", "ACK-33"), arguments=(*CHECK, "--clause", "ACK-03,ACK-33")),
    Mistake("no such level", ("--level", "shall"), arguments=(*CHECK, "--level", "shall")),
    Mistake("a seed that is none", ("--seed",), arguments=(*CHECK, "--seed", "x")),
    Mistake("a negative seed", ("--seed",), arguments=(*CHECK, "--seed", "-1")),
    Mistake("no such option", ("--claus",), arguments=(*CHECK, "--claus", "ACK-03")),
    Mistake("no such command", ("chek",), arguments=("chek",)),
    Mistake("an argument too many", ("more",), arguments=(*CHECK, "more")),
    Mistake("a file for a folder", ("--out", "my.toml"), arguments=(*CHECK, "--out", "my.toml")),
    Mistake("a folder under a file", ("--out",), arguments=(*CHECK, "--out", "my.toml/under")),
    Mistake("load: no rate", ("--rate", "0"), arguments=("load", "--config", "my.toml", "--rate", "0")),
    Mistake("load: no number", ("--rate", "nan"), arguments=("load", "--config", "my.toml", "--rate", "nan")),
    Mistake("load: no unit", ("10", "unit"), arguments=("load", "--config", "my.toml", "--duration", "10")),
    Mistake("load: a master's port that is none", ("--master", "bar is not a port", "1 to 65535"),
            arguments=("load", "--config", "my.toml", "--role", "worker", "--master", "foo:bar")),
    Mistake("load: a master without a role", ("--master", "needs --role", "add --role"),
            arguments=("load", "--config", "my.toml", "--master", "10.0.0.1")),
    Mistake("load: patience without a role", ("--wait", "needs --role", "add --role"),
            arguments=("load", "--config", "my.toml", "--wait", "5s")),
    Mistake("load: users and a rate", ("--users", "no rate", "omit --rate or --users"),
            arguments=("load", "--config", "my.toml", "--users", "5", "--rate", "5")),
    Mistake("load: pauses without users", ("--think", "needs --users", "add --users"),
            arguments=("load", "--config", "my.toml", "--think", "2s")),
    Mistake("load: a rate in words", ("--rate", "fast is not a number", "arrivals per second"),
            arguments=("load", "--config", "my.toml", "--rate", "fast")),
    Mistake("load: no limit", ("--limit", "fast is not a limit", "trigger.latency_ms.p99 < 300"),
            arguments=("load", "--config", "my.toml", "--limit", "fast")),
    Mistake("load: two limits on a metric", ("--limit", "calls.lost has two limits", "one limit"),
            arguments=("load", "--config", "my.toml", "--limit", "calls.lost == 0", "--limit", "calls.lost < 5")),
    Mistake("load: no such scenario", ("--scenario", "walk", "lifecycle"),
            arguments=("load", "--config", "my.toml", "--scenario", "walk")),
    Mistake("load: fewer rows than workers", ("rows.csv", "1 rows, and 2 workers", "use fewer workers"),
            new='[load]\nbudget_calls = 10\nvariables_file = "rows.csv"\n', beside={"rows.csv": "colour\nred\n"},
            arguments=("load", "--config", "my.toml", "--workers", "2")),
    Mistake("load: an interval in words", ("OTEL_METRIC_EXPORT_INTERVAL", "milliseconds", "5000"),
            new="[load]\nbudget_calls = 10\n", variables={"OTEL_METRIC_EXPORT_INTERVAL": "often"},
            arguments=("load", "--config", "my.toml", "--otlp", "http://127.0.0.1:1")),
    Mistake("a header that might be dialled", ("X-Phone", "might dial its value", "remove it"),
            "[lines]", 'headers = {{ "X-Phone" = "5550009999" }}\n[lines]'),
    Mistake("a project variable as a variable", ("RINGBACK_VARIABLES__CITY", "case", "RINGBACK_VARIABLES"),
            variables={"RINGBACK_VARIABLES__CITY": "Bern"}),
    Mistake("load: no budget", ("load.budget_calls",), arguments=("load", "--config", "my.toml")),
    Mistake("gate: no budget", ("load.budget_calls",), arguments=("gate", "--config", "my.toml")),
    Mistake("gate: a typo", ("gate.raet", "did you mean rate?"), new="[gate]\nraet = 5\n",
            arguments=("gate", "--config", "my.toml")),
    Mistake("sandbox: a taken port", ("{port}",), arguments=("sandbox", "--port", "{port}")),
    Mistake("sandbox: no such fault", ("plain-htp", "plain-http"), arguments=("sandbox", "--fault", "plain-htp")),
    Mistake("sandbox: no unit", ("5",), arguments=("sandbox", "--ring-time", "5")),
    Mistake("sandbox: no such port", ("--port",), arguments=("sandbox", "--port", "70000")),
    Mistake("sandbox: a configuration that can't be written", ("no/such/dir",),
            arguments=("sandbox", "--port", "0", "--write-config", "no/such/dir/x.toml")),
    Mistake("embedded: no such fault", ("no-such-fault",), arguments=("check",),
            variables={"RINGBACK_SANDBOX__FAULTS": "no-such-fault"}),
    Mistake("init over a file", ("my.toml", "--force"), arguments=("init", "my.toml")),
    Mistake("init in no folder", ("nowhere/x.toml",), arguments=("init", "nowhere/x.toml")),
]  # fmt: skip


@dataclass
class Tried:
    """The results of all mistakes, and a server that counts connections."""

    ends: dict[str, Ended]
    listener: Listener


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    with listening() as listener:
        cases = {}
        for mistake in MISTAKES:
            case = mistake.case(listener.port)
            arguments = tuple(a.format(port=listener.port) for a in case.arguments)
            cases[mistake.name] = Case(arguments, case.files, case.variables)
        yield Tried(run_all(cases, tmp_path_factory.mktemp("mistakes")), listener)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_one_line(tried: Tried, mistake: Mistake) -> None:
    end = tried.ends[mistake.name]
    line = end.complaint()
    assert end.code == 2
    for word in mistake.shown:
        assert word.format(port=tried.listener.port) in line
    assert TOKEN not in line


def test_no_mistake_sent_anything(tried: Tried) -> None:
    assert len(tried.ends) == len(MISTAKES)
    assert tried.listener.connections() == 0


def test_without_its_mistake_the_same_configuration_is_used(tmp_path: Path) -> None:
    """The connection counter works, and the configuration is valid without the mistakes."""
    with listening() as listener:
        (tmp_path / "my.toml").write_text(CONFIG.format(port=listener.port))
        end = ringback(*CHECK, "--clause", "ACK-02", folder=tmp_path, RINGBACK_ACCESS_TOKEN=TOKEN,
                       RINGBACK_TIMING__REQUEST="100ms")  # fmt: skip
        assert end.code in {1, 3}
        assert listener.connections() > 0


def test_the_installed_command_reports_a_mistake(tmp_path: Path) -> None:
    program = Path(REAL_PYTHON).with_name("ringback")
    done = subprocess.run(
        [program, "check", "--config", "no.toml"], cwd=tmp_path, env=environment(), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    end = Ended(done.returncode, done.stdout, done.stderr)
    assert end.code == 2
    assert "no.toml" in end.complaint()
    assert end.out == ""
    assert list(tmp_path.iterdir()) == []
