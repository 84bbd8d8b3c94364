"""`ringback sandbox`: run the sandbox in the foreground and print requests to paste."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.console import Console

from ringback.config import ConfigError
from ringback.sandbox import RunningSandbox, SandboxError, SandboxSettings, curl_lines, serve_forever

__all__ = ["sandbox"]


def sandbox(console: Console, settings: SandboxSettings, *, config_file: Path | None, quiet: bool) -> int:
    """Serve until Ctrl-C; returns the exit code, raises `ConfigError` when it can't start."""

    def ready(running: RunningSandbox) -> None:
        effective = running.settings
        if config_file is not None:
            _write_configuration(config_file, running)
        if quiet:
            console.print(running.base_url, soft_wrap=True)
            return
        console.print(f"The sandbox answers at {running.base_url}", soft_wrap=True)
        for line, number in effective.lines.items():
            console.print(f"  {number}  {line}", soft_wrap=True)
        for kind, names in (("fault", effective.faults), ("dialect", effective.dialects)):
            for name in names:
                console.print(f"  with the {kind} {name}", soft_wrap=True)
        if config_file is not None:
            check = f"RINGBACK_ACCESS_TOKEN={effective.access_token} ringback check --config {config_file}"
            console.print(f"\nTo check it from another terminal:\n\n{check}", soft_wrap=True)
        lines = curl_lines(effective, running.base_url, running.ca_bundle)
        console.print(f"\nThe documented requests, ready to paste:\n\n{lines}", soft_wrap=True)
        console.print("Press Ctrl-C to stop it.", soft_wrap=True)

    try:
        serve_forever(settings, ready)
    except SandboxError as error:
        raise ConfigError("sandbox", None, str(error), "see: ringback sandbox --help") from None
    return 0


def _write_configuration(path: Path, running: RunningSandbox) -> None:
    """Write a `ringback.toml` for this sandbox, and the CA's certificate beside it."""
    settings = running.settings
    lines = [
        "# Written by `ringback sandbox`; its token is not a secret.",
        "[deployment]",
        f'base_url = "{running.base_url}"',
        *(
            f'{key} = "{getattr(settings, key)}"'
            for key in ("project", "tenant", "scenario_path", "orchestrator_url", "display_number", "locale")
        ),
    ]
    try:
        if running.ca_bundle is not None:
            copy = path.with_name(f"{path.stem}-ca.pem")
            shutil.copyfile(running.ca_bundle, copy)
            lines.append(f'ca_bundle = "{copy.name}"')
        lines += ["", "[lines]", *(f'{name} = "{number}"' for name, number in settings.lines.items())]
        lines += ["", "[timing]", 'poll_interval = "200ms"', "", "[result_destination]", 'listen = "127.0.0.1:0"', ""]
        lines += ["[load]", "budget_calls = 10000", ""]
        path.write_text("\n".join(lines), encoding="utf-8")
    except OSError as error:
        raise ConfigError(str(path), None, f"can't be written ({error.strerror})", "name another file") from None
