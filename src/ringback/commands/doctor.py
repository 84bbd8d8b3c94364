"""`ringback doctor`: is everything in place for a check? It places no call."""

from __future__ import annotations

from rich.console import Console

from ringback.commands.mistakes import NO_TOKEN, mistakes_in
from ringback.commands.running import Options, settle_sources
from ringback.config import ConfigError
from ringback.contract.verdict import ExitCode
from ringback.deployment.access import protect, protect_known
from ringback.first_steps.doctor import examine
from ringback.first_steps.steps import Step
from ringback.reporting.terminal.layout import line
from ringback.reporting.terminal.steps import in_one_line, print_steps

__all__ = ["doctor"]


def doctor(console: Console, options: Options) -> int:
    """Run the command; returns 0 if all is well, 2 if the configuration has mistakes, 3 if something is in the way."""
    sources = settle_sources(options)
    protect_known(sources)
    if not sources.names_a_deployment:
        raise ConfigError(
            "configuration", "deployment", "missing, so there is nothing to look at", "make a file with: ringback init"
        )
    if mistakes := mistakes_in(sources):
        steps = [_mistake(mistake) for mistake in mistakes]
        print_steps(console, steps)
        line(console, f"Nothing was sent. Fix the configuration first{in_one_line(console, steps)}.")
        return ExitCode.USAGE
    steps = []
    try:
        config = sources.build()
        steps.append(Step("configuration", f"{sources.name} is complete, and the token is set"))
    except ConfigError as without_token:
        config = sources.build(token=NO_TOKEN)
        steps.append(_mistake(without_token))
    protect(config)
    print_steps(console, steps)
    for step in examine(config):
        print_steps(console, [step])
        steps.append(step)
    in_the_way = [step for step in steps if not step.well]
    if in_the_way:
        names = ", ".join(step.name for step in in_the_way)
        line(console, f"In the way of a check: {names}{in_one_line(console, in_the_way)}. No call was placed.")
    else:
        line(console, "Everything is in place. No call was placed. Next: ringback check --plan")
    return ExitCode.USAGE if not steps[0].well else ExitCode.INCONCLUSIVE if in_the_way else ExitCode.OK


def _mistake(mistake: ConfigError) -> Step:
    where = f"{mistake.source}: {mistake.key}: " if mistake.key else f"{mistake.source}: "
    return Step("configuration", f"{where}{mistake.problem}", well=False, fix=mistake.fix)
