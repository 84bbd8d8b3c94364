"""`ringback init`: write a configuration file, made from answers, flags and a curl command; it places no call."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ValidationError
from rich.console import Console

from ringback.config import LINE_STATES, ConfigError
from ringback.config.model import Deployment, Lines, ResultDestination
from ringback.config.proxy import ProxyError, proxy_for
from ringback.first_steps.curl import read_curl
from ringback.first_steps.draft import Draft, draft_from
from ringback.first_steps.network import way_to
from ringback.first_steps.steps import Step
from ringback.first_steps.words import Unreadable
from ringback.reporting.terminal.screen import is_terse
from ringback.reporting.terminal.steps import in_one_line, print_steps
from ringback.rundir import SINK

__all__ = ["TEMPLATE", "Asker", "InitOptions", "init"]

TEMPLATE = """\
# Which deployment Ringback talks to, and which telephone numbers it may dial.
# Every key can be set by the environment too: RINGBACK_DEPLOYMENT__BASE_URL, RINGBACK_BUDGET__CALLS, ...

[deployment]
base_url = "https://ivr.example.com:22222"
project = "Collections"
tenant = "Default"
access_token_env = "RINGBACK_ACCESS_TOKEN"     # the variable with the token; or access_token_file, or _command
scenario_path = "/ivr/collections"
orchestrator_url = "https://orchestrator.example.com"
display_number = "200"                          # the caller id
locale = "en-US"
# Instead of access_token_env, if it expires: access_token_command = "vault read ..." and access_token_lifetime = "50m"
# Sent with each request (env:NAME, file:PATH or the text itself): headers = { "X-Api-Key" = "env:GATEWAY_KEY" }
# proxy = "http://proxy.example.com:3128"       # default: HTTPS_PROXY and NO_PROXY, as for curl; "" for none
# ca_bundle = "corp-ca.pem"                     # client_cert and client_key likewise; verify = false only in a lab

[lines]                                         # the only numbers that Ringback dials, by the state they produce
answered = "5550000001"                         # leave out the states that you have no line for
busy = "5550000002"
# error = { number = "5550000003", at_once = 1, ring = "20s" } # takes one call at a time, as a handset does
# invalid_number = "5550000004"
# no_answer = "5550000005"
# rejected = "5550000006"
# temporarily_unavailable = "5550000007"

# [variables]                                   # the project's variables, each with a value that it may have;
# customerName = "sample"                       # then no others are sent. Left out: made-up ones are sent

[budget]
calls = 60                                      # accepted calls that a check may place
triggers_per_second = 20
# calls_at_once = 10                            # calls in progress, over all lines
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


_RECEIVER_PORT = 8099
_QUESTIONS = {
    "base_url": "Base URL of the deployment, such as https://ivr.example.com:22222",
    "project": "Project",
    "tenant": "Tenant",
    "scenario_path": "ScenarioPath, the address of the IVR scenario",
    "orchestrator_url": "OrchestratorUrl, the address of the Orchestrator",
    "display_number": "_DisplayNumber, the caller id",
    "access_token_env": "Environment variable that holds (or will hold) the access token; not the token itself",
}
_DEFAULTS = {"tenant": "Default", "display_number": "200", "access_token_env": "RINGBACK_ACCESS_TOKEN"}


class Asker(Protocol):
    """Asks the user on a terminal."""

    def text(self, question: str, default: str = "") -> str:
        """The answer, without blanks around it."""

    def yes(self, question: str) -> bool:
        """Whether the answer is yes."""


@dataclass(frozen=True, slots=True)
class InitOptions:
    """What flags say; None and empty for what they leave open."""

    from_curl: str | None = None
    deployment: tuple[tuple[str, str | None], ...] = ()
    """Keys of `[deployment]` with their values."""
    lines: tuple[str, ...] = ()
    """`STATE=NUMBER` each: the user confirms that the number may be dialled."""
    public_url: str | None = None
    listen: str | None = None
    token_file: Path | None = None
    """Where to write the token of the curl command, readable by its owner only."""
    offline: bool = False

    @property
    def given(self) -> bool:
        """Whether any flag says something about the deployment."""
        named = any(value is not None for _, value in self.deployment)
        return bool(named or self.from_curl or self.lines or self.public_url or self.listen or self.token_file)


def init(console: Console, path: Path, options: InitOptions, *, force: bool, ask: Asker | None = None) -> int:
    """Write the file; raises `ConfigError` if a flag is wrong, the file exists, or it can't be written.

    Without flags and without a terminal (`ask` None), it is a template to fill in.
    """
    if path.exists() and not force:
        raise ConfigError(str(path), None, "exists already", "use --force to overwrite it")
    if not options.given and ask is None:
        _write(path, TEMPLATE, force=force)
        console.print(f"Wrote {path}. Fill it in, export RINGBACK_ACCESS_TOKEN, then: ringback doctor", soft_wrap=True)
        return 0
    draft = _from_curl(options, path)
    _from_flags(draft, options)
    if ask is not None:
        _from_answers(console, draft, ask, offline=options.offline)
    elif "base_url" in draft.deployment and not options.offline:
        draft.in_the_way = [step for step in _look(console, str(draft.deployment["base_url"])) if not step.well]
    token_file = _token_file(draft, options, path, ask)
    SINK.protect(draft.redactor())
    _write(path, draft.fill(TEMPLATE), force=force)
    _print_end(console, draft, path, token_file)
    return 0


def _from_curl(options: InitOptions, path: Path) -> Draft:
    if options.from_curl is None:
        return Draft()
    name = "standard input" if options.from_curl == "-" else options.from_curl
    try:
        text = sys.stdin.read() if options.from_curl == "-" else Path(options.from_curl).read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError(
            "--from-curl", None, f"{name} can't be read ({error.strerror})", "name a text file, or -"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError("--from-curl", None, f"{name} is not UTF-8", "save it as UTF-8") from None
    try:
        draft = draft_from(read_curl(text), path.parent)
    except Unreadable as error:
        raise ConfigError.of("--from-curl", None, f"{name} {error}") from None
    SINK.protect(draft.redactor())
    for key, value in list(draft.deployment.items()):
        if key not in {"headers", "proxy"} and (wrong := _mistake(Deployment, key, value)) is not None:
            del draft.deployment[key]
            draft.notes.append(f"deployment.{key} was left out: {wrong}")
    return draft


def _from_flags(draft: Draft, options: InitOptions) -> None:
    for key, value in options.deployment:
        if value is not None:
            flag = "--token-env" if key == "access_token_env" else f"--{key.replace('_', '-')}"
            _refuse(flag, _mistake(Deployment, key, value))
            draft.put(key, value, flag)
    for text in options.lines:
        state, equals, number = text.partition("=")
        name = _state(state)
        if name is None:
            raise ConfigError("--line", None, f"{state} is not a call state", f"write one of: {', '.join(LINE_STATES)}")
        if not equals:
            raise ConfigError("--line", None, f"{state} has no number", f"write --line {name}=NUMBER")
        _refuse("--line", _wrong_line(draft, name, number.strip()))
        draft.lines[name] = number.strip()
    if options.public_url is not None:
        _refuse("--public-url", _mistake(ResultDestination, "public_url", options.public_url))
    if options.listen is not None:
        _refuse("--listen", _mistake(ResultDestination, "listen", options.listen))
    _receive(draft, options.public_url, options.listen)


def _receive(draft: Draft, public_url: str | None, listen: str | None) -> None:
    if public_url is not None:
        port = re.search(r":(\d+)(?:/|$)", public_url.partition("://")[2])
        draft.result_destination["listen"] = f"0.0.0.0:{port[1] if port else _RECEIVER_PORT}"
        draft.result_destination["public_url"] = public_url
    if listen is not None:
        draft.result_destination["listen"] = listen


def _from_answers(console: Console, draft: Draft, ask: Asker, *, offline: bool) -> None:
    for key, question in _QUESTIONS.items():
        while key not in draft.deployment:
            answer = ask.text(question, _DEFAULTS.get(key, ""))
            if (wrong := _mistake(Deployment, key, answer)) is not None:
                console.print(f"  {wrong}", soft_wrap=True)
                continue
            if key == "base_url" and not offline:
                well = all(step.well for step in _look(console, answer))
                if not well and not ask.yes("Use it all the same?"):
                    continue
            draft.put(key, answer, "the answer")
    _ask_for_lines(console, draft, ask)
    while not draft.result_destination:
        url = ask.text("URL at which the deployment reaches this machine (empty: results are not received)")
        if not url:
            break
        if (wrong := _mistake(ResultDestination, "public_url", url)) is not None:
            console.print(f"  {wrong}", soft_wrap=True)
            continue
        _receive(draft, url, None)


def _ask_for_lines(console: Console, draft: Draft, ask: Asker) -> None:
    if draft.dialled is not None and draft.dialled not in draft.lines.values():
        while True:
            answer = ask.text(
                f"The curl command dials a number that ends in {draft.dialled[-2:]}. Which call state does it produce? "
                f"One of: {', '.join(LINE_STATES)} (empty: it may not be dialled)"
            )
            state = _state(answer)
            if not answer or state is not None:
                break
            console.print("  not a call state", soft_wrap=True)
        if state is not None and (wrong := _wrong_line(draft, state, draft.dialled)) is None:
            draft.lines[state] = draft.dialled
    if draft.lines:
        return
    console.print("Lines are the only numbers that Ringback dials: your own, or cleared for testing.", soft_wrap=True)
    for name, documented in LINE_STATES.items():
        while number := ask.text(f"Line whose calls end as {documented} (empty: none)"):
            if (wrong := _wrong_line(draft, name, number)) is None:
                draft.lines[name] = number
                break
            console.print(f"  {wrong}", soft_wrap=True)


def _look(console: Console, base_url: str) -> list[Step]:
    """Print whether the deployment can be reached; sends no request."""
    try:
        proxy = proxy_for(None, base_url, os.environ)
    except ProxyError:
        proxy = None  # ringback doctor reports it, with its variable
    steps = list(way_to(base_url) if proxy is None else way_to(proxy.url, key="the proxy's address"))
    print_steps(console, steps)
    return steps


def _token_file(draft: Draft, options: InitOptions, path: Path, ask: Asker | None) -> Path | None:
    """Write the token to its file, if the user wants one; None if it goes into the environment."""
    if draft.token is None:
        if options.token_file is not None:
            draft.deployment["access_token_file"] = _beside(path, options.token_file)
        return options.token_file
    file = options.token_file
    if file is None:
        beside = path.with_name("ringback-token")
        question = f"The curl command holds the access token. Write it to {beside}, readable by you only?"
        if ask is None or not ask.yes(question):
            return None
        file = beside
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(draft.token + "\n")
    except FileExistsError:
        raise ConfigError("--token-file", None, f"{file} exists already", "delete it, or name another") from None
    except OSError as error:
        raise ConfigError("--token-file", None, f"can't write {file} ({error.strerror})", "name another") from None
    draft.deployment["access_token_file"] = _beside(path, file)
    return file


def _beside(path: Path, file: Path) -> str:
    """The file's name as the configuration has it: relative to its own folder, if the file is in it."""
    folder = path.parent.resolve()
    return str(file.resolve().relative_to(folder)) if file.resolve().is_relative_to(folder) else str(file.resolve())


def _write(path: Path, text: str, *, force: bool) -> None:
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(str(path), None, "exists already", "use --force to overwrite it") from None
    except OSError as error:
        raise ConfigError(str(path), None, f"can't be written ({error.strerror})", "name another file") from None


def _print_end(console: Console, draft: Draft, path: Path, token_file: Path | None) -> None:
    notes = [f"Note: {note}." for note in dict.fromkeys(draft.notes)]
    if draft.dialled is not None and draft.dialled not in draft.lines.values():
        notes.append(
            f"Note: the curl command dials a number that ends in {draft.dialled[-2:]}. Ringback dials only lines "
            "that you confirm: if it may be dialled, write it into [lines], beside the call state that it produces, or "
            "repeat this command with --force and, for example, --line answered=NUMBER."
        )
    if draft.variables:
        notes.append(f"Note: the curl command sends project variables: {', '.join(draft.variables)}.")
    if missing := draft.missing():
        notes.append(f"Still to fill in: {', '.join(missing)}.")
    if token_file is not None:
        notes.append(f"The token is in {token_file}; keep that file out of version control.")
    else:
        where = "the value of AccessToken in the curl command" if draft.token else "the project's access token"
        draft.exports = {draft.token_variable: where, **draft.exports}
    file = "" if path == Path("ringback.toml") else f" --config {path}"
    if is_terse(console):
        notes += [f"Export {', '.join(draft.exports)}."] if draft.exports else []
        if draft.in_the_way:
            notes.append(f"In the way of a check{in_one_line(console, draft.in_the_way)}.")
        console.print(" ".join([f"Wrote {path}.", *notes, f"Next: ringback doctor{file}"]), soft_wrap=True)
        return
    exports = [f"export {variable}=...   # {where}" for variable, where in draft.exports.items()]
    commands = [
        f"  {f'ringback {command}{file}':<30} # {what}"
        for command, what in (
            ("doctor", "is everything in place? places no call"),
            ("check --plan", "what a check will do; sends nothing"),
            ("check", "does the deployment keep the contract?"),
        )
    ]
    for text in (f"Wrote {path}.", *notes, *exports, "Then:", *commands):
        console.print(text, soft_wrap=True)


def _state(text: str) -> str | None:
    name = re.sub(r"[\s_-]+", "_", text.strip().lower())
    return name if name in LINE_STATES else None


def _wrong_line(draft: Draft, name: str, number: str) -> str | None:
    if (wrong := _mistake(Lines, name, number)) is not None:
        return wrong
    try:
        Lines.model_validate({**draft.lines, name: number})
    except ValidationError:
        return "the same number as another line; give each state a line of its own"
    return None


def _refuse(flag: str, wrong: str | None) -> None:
    if wrong is not None:
        raise ConfigError.of(flag, None, wrong)


def _mistake(section: type[BaseModel], key: str, value: object) -> str | None:
    """What is wrong with a value, as the configuration would report it; None if nothing is."""
    try:
        section.model_validate({key: value})
    except ValidationError as error:
        for one in error.errors(include_url=False):
            if one["loc"][:1] == (key,) and one["type"] != "extra_forbidden":
                return str(one.get("ctx", {}).get("error", one["msg"]))
    if key == "access_token_env" and not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,127}", str(value)):
        return "not the name of a variable; write it in capitals, such as RINGBACK_ACCESS_TOKEN"
    return None
