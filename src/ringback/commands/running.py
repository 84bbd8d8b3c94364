"""What check, load and gate share: reading the configuration, the run's directory, a run from beginning to end.

What writes reports is imported when there is something to write: a plan needs none of it.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import resource
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from ringback import clock
from ringback.config import Config, ConfigError, SandboxOptions
from ringback.config.loading import Sources, gather
from ringback.contract.clauses import CLAUSES, Level, UnknownClause, WrongCatalogue, add_clauses, clause
from ringback.contract.verdict import Conclusion, ExitCode, conclude
from ringback.contract.waivers import waiver_notes, waiver_uses
from ringback.deployment.access import protect_known
from ringback.interrupts import unwinding
from ringback.reporting import RunReport, print_report, verdict_document
from ringback.reporting.model.repeat import given_again
from ringback.rundir import complain, make_room, reserve_room
from ringback.rundir.names import EXCHANGES_FILE, HTML_FILE, LOAD_FILE, LOG_FILE, TIMELINES_FILE, WINDOWS_FILE
from ringback.rundir.run import Findings
from ringback.target import Target

_RECORDS = (EXCHANGES_FILE, LOAD_FILE, WINDOWS_FILE, TIMELINES_FILE, LOG_FILE)
"""Files that are written during a run."""
_FILES = 4096
"""Open files that a run asks for."""
_FEWEST_FILES = 256
"""Open files without which no run begins: connections, the receiver's among them, and the run's own files."""
_LEAST_MEMORY = 512 * 1024 * 1024
"""Bytes of address space without which no run begins: a run takes less than 400 MB whatever a deployment sends."""

__all__ = [
    "Options",
    "Running",
    "add_own",
    "know_secrets",
    "new_directory",
    "selected",
    "settle_sources",
    "way_there",
    "whereabouts",
]


@dataclass(frozen=True, slots=True)
class Options:
    """Command-line options that all commands against a deployment share."""

    config: Path | None = None
    base_url: str | None = None
    out: Path | None = None
    seed: int | None = None
    flags: Mapping[str, object] = field(default_factory=dict)
    """Further configuration given by flags: `section.key` -> value."""
    own: Path | None = None
    """A folder with further clauses and their tests."""
    force: bool = False
    """Whether a run in the directory `out` may be replaced."""
    max_time: float | None = None
    """Seconds after which a run ends with what it saw; None for a limit that follows from its plan."""

    def time_left(self, started: clock.Start) -> float | None:
        """The seconds that are left of `max_time`, a tenth of a second at least; None without a limit."""
        return None if self.max_time is None else max(0.1, self.max_time - started.seconds())

    def chosen_seed(self) -> int:
        """The given seed, or a random one."""
        return self.seed if self.seed is not None else random.SystemRandom().randrange(2**31)


def settle_sources(options: Options) -> Sources:
    """Read the configuration's sources; raises `ConfigError`, also if this process may use too little for a run."""
    _allow_open_files()
    _require_memory()
    return gather(options.config, os.environ, {"deployment.base_url": options.base_url, **options.flags})


def add_own(options: Options) -> None:
    """Add the user's clauses to the catalogue; raises `ConfigError`."""
    if options.own is None:
        return
    try:
        add_clauses(options.own / "clauses.toml")
    except WrongCatalogue as why:
        raise ConfigError.of("--own", None, why) from None


def _allow_open_files() -> None:
    """Raise this process's limit of open files as far as needed and allowed; raises `ConfigError` if it is too low.

    With too few, connections would fail, and nobody could tell whether through the deployment.
    """
    soft, hard = (math.inf if n == resource.RLIM_INFINITY else n for n in resource.getrlimit(resource.RLIMIT_NOFILE))
    if soft < _FILES and soft < hard:
        wanted = int(min(hard, _FILES))
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
            soft = wanted
    if soft < _FEWEST_FILES:
        raise ConfigError(
            "ulimit -n", None, f"{soft} open files are too few",
            f"allow at least {_FEWEST_FILES}, such as: ulimit -n {_FILES}",
        )  # fmt: skip


def _require_memory() -> None:
    allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
    if allowed != resource.RLIM_INFINITY and allowed < _LEAST_MEMORY:
        raise ConfigError(
            "ulimit -v", None, f"{allowed // 2**20} MB of memory are too little",
            f"allow at least {_LEAST_MEMORY // 2**20} MB: ulimit -v {_LEAST_MEMORY // 1024}",
        )  # fmt: skip


def know_secrets() -> None:
    """Make the secrets of the configuration known to the sink, even if the configuration is wrong otherwise.

    For what is printed without a deployment: error messages, and reports of runs that were read back.
    """
    try:
        protect_known(settle_sources(Options()))
    except ConfigError:
        protect_known(Sources("environment", environ=os.environ))


def whereabouts(error: Exception) -> str:
    """The type of an error and the line that raised it. Its message is left out: it may hold a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    last = next((frame for frame in reversed(frames) if "ringback" in frame.filename), None)
    return f"{type(error).__name__}{f' in {Path(last.filename).name}, line {last.lineno}' if last else ''}"


def selected(ids: Iterable[str]) -> tuple[str, ...]:
    """Clause ids in the catalogue's spelling; a section's name selects all its clauses. Raises `ConfigError`.

    One text may name several, with commas between them.
    """
    found: dict[str, None] = {}
    for name in (part.strip() for text in ids for part in text.split(",")):
        section = [c.id for c in CLAUSES.values() if c.section == name.upper()]
        if section:
            found.update(dict.fromkeys(section))
            continue
        try:
            found[clause(name).id] = None
        except UnknownClause as unknown:
            near = f"did you mean {unknown.near[0]}?" if unknown.near else "docs/clauses.md lists them"
            raise ConfigError("--clause", None, f"there is no clause {name}", near) from None
    return tuple(found)


def new_directory(command: str, out: Path | None, *, force: bool = False) -> Path:
    """Make the run's directory: `out`, or a new one under `reports`.

    Raises `ConfigError` if it can't be written, or if it holds a run and `force` is not set.
    """
    from ringback.reporting.artifacts import ARTIFACTS

    stamp = clock.wall().strftime("%Y-%m-%dT%H-%M-%SZ")
    directory = out if out is not None else Path("reports") / f"{stamp}-{command}"
    attempt = 1
    while out is None and directory.exists():
        attempt += 1
        directory = Path("reports") / f"{stamp}-{command}-{attempt}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        held = next((name for name in (*ARTIFACTS, HTML_FILE, *_RECORDS) if (directory / name).exists()), None)
        if held is not None and not force:
            raise ConfigError(
                "--out",
                None,
                f"{directory} already holds a run ({held})",
                "name another folder, or replace it with --force",
            )
        for left_over in (*ARTIFACTS, HTML_FILE, *_RECORDS):
            (directory / left_over).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            "--out", None, f"can't write to {directory} ({error.strerror})", "name another folder"
        ) from None
    return directory


@dataclass(frozen=True, slots=True)
class Running:
    """A run of check, load or gate, from before its first request to its report."""

    console: Console
    command: str
    target: Target
    directory: Path
    started: clock.Start
    seed: int
    level: Level = Level.SHOULD

    def promise(self) -> None:
        """Write the promised reports before anything is sent, so that a run that is killed leaves them too."""
        from ringback.reporting.artifacts import write_promised

        unfinished = "the run did not come to its end"
        report = self._report(Findings(notes=(unfinished,)), conclude((), (), open_questions=(unfinished,)))
        write_promised(report, self.directory)
        reserve_room(self.directory)

    def finish(self, findings: Findings) -> int:
        """Conclude the run, write and print its reports, send the notification, and return the exit code."""
        from ringback.reporting.artifacts import write_all
        from ringback.reporting.formats.notify import notify
        from ringback.reporting.html import write_html

        conclusion = conclude(
            findings.results, findings.limits, interrupted=findings.interrupted, open_questions=findings.open_questions
        )
        # The reasons of a failed run are its deviations; its open questions become notes.
        also_open = findings.open_questions if conclusion.exit_code == ExitCode.BROKEN else ()
        waivers = waiver_uses(self.target.config.waivers, findings.results)
        report = replace(
            self._report(findings, conclusion),
            seconds=self.started.seconds(),
            notes=(*findings.notes, *findings.unwritten, *also_open, *waiver_notes(waivers)),
            waivers=waivers,
        )
        make_room(self.directory)
        notes = write_all(report, self.directory, more=[(HTML_FILE, write_html)])
        with contextlib.suppress(KeyboardInterrupt), unwinding():  # all files are written: Ctrl-C may cut off the rest
            print_report(self.console, report, self.directory)
            if (hook := self.target.config.notify) is not None:
                failed = notify(hook.webhook_url, hook.token(), verdict_document(report), timeout=hook.timeout)
                notes += [] if failed is None else [failed]
            for note in (*findings.unwritten, *notes):
                complain(note)
        return conclusion.exit_code

    def _report(self, findings: Findings, conclusion: Conclusion) -> RunReport:
        """The report of a run that took no time so far."""
        sandbox = self.target.config.sandbox if self.target.embedded else SandboxOptions()
        typed = Path(sys.argv[0]).name == "ringback"
        return RunReport(
            command=self.command,
            started=self.started.date,
            seconds=0.0,
            base_url=self.target.config.deployment.base_url,
            embedded=self.target.embedded,
            seed=self.seed,
            level=self.level,
            results=findings.results,
            limits=findings.limits,
            calls_accepted=findings.accepted,
            calls_budget=findings.budget,
            calls_may_have_dialled=findings.may_have_dialled,
            conclusion=conclusion,
            faults=sandbox.faults,
            dialects=sandbox.dialects,
            load=findings.load,
            notes=findings.notes,
            again=given_again(sys.argv[1:], self.seed, sandbox.faults, sandbox.dialects) if typed else "",
        )


def way_there(config: Config) -> list[tuple[str, str]]:
    """Rows of a plan: what lies between Ringback and the deployment, and how it gets its access token."""
    deployment = config.deployment
    rows = []
    if deployment.proxy is not None:
        rows.append(("proxy", deployment.proxy.where))
    if deployment.headers:
        rows.append(("headers", ", ".join(header.name for header in deployment.headers)))
    if (lifetime := deployment.access_token_lifetime) is not None:
        rows.append(("token", f"from access_token_command, not older than {lifetime:g} s"))
    return rows
