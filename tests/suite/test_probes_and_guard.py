"""Every probe of the contract suite passes the dial guard, whatever texts the configuration has."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any, cast

import pytest

from ringback.config.loading import gather
from ringback.deployment.access import dial_guard
from ringback.deployment.guard import StrangerRefused
from ringback.resources import contract_tests_path
from ringback.suite.campaign import Campaign
from ringback.suite.plugin import MARKERS
from ringback.suite.probes import Probe
from ringback.suite.probes.drafts import DraftMaker

from .tiny import LINES

TREE: dict[str, dict[str, Any]] = {
    "deployment": {
        "base_url": "https://ivr7.example.com:22222",
        "project": "Collections",
        "scenario_path": "/ivr/collections",
        "orchestrator_url": "https://orchestrator.example.com",
        "display_number": "200",
    },
    "lines": dict(LINES),
}

CONFIGURATIONS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "plain": ("rb-suite-token-SECRET", {}),
    "digits in every text": (
        "tok-8847362910+x/y==",
        {
            "deployment": {
                "project": "Collections 24", "tenant": "Tenant7", "scenario_path": "/ivr/2/collections",
                "orchestrator_url": "https://10.20.30.40:8443/o/77", "display_number": "+4930123456",
                "locale": "es-419",
            },
        },
    ),
    "odd texts": (
        'a "token" of 1234567',
        {"deployment": {"project": "O'Neil & \"Sons\" <b>", "tenant": "テナント", "display_number": "0"}},
    ),
    "numbers abroad": ("token", {"lines": {"answered": "+495550000001", "busy": "0049555000002", "rejected": "101"}}),
}  # fmt: skip


UNSENDABLE = {
    "numbers abroad": {
        "test_2_req_trigger: EndUser's Phone a number",
        "test_2_req_trigger: _Destination a number",
    }
}
"""A line that begins with + or 0 becomes another number as a JSON number."""


def probes() -> Iterator[tuple[str, Probe]]:
    """Each probe of the suite with its module's name."""
    for path in sorted(contract_tests_path().glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(f"probes_of_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for value in vars(module).values():
            inside = (
                value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
            )
            yield from ((path.stem, probe) for probe in inside if isinstance(probe, Probe))


@pytest.mark.parametrize("texts", list(CONFIGURATIONS))
def test_every_probe_passes_the_guard(texts: str, pytestconfig: pytest.Config) -> None:
    for marker in MARKERS:
        pytestconfig.addinivalue_line("markers", marker)
    token, sections = CONFIGURATIONS[texts]
    config = gather(None, {"RINGBACK_CONFIG": ""}).build(
        {name: {**table, **sections.get(name, {})} for name, table in TREE.items()}, token
    )
    guard = dial_guard(config, None)
    campaign = Campaign(config, cast("Any", None), DraftMaker(config, 1), None, cast("Any", None))
    seen: set[Probe] = set()
    refused = {}
    for module, probe in probes():
        for part in {probe, *probe.parts} - seen:
            seen.add(part)
            draft = campaign.draft(part)
            try:
                guard.check(f"{config.deployment.base_url}/v2/call", draft.headers, draft.bytes)
            except StrangerRefused as refusal:
                refused[f"{module}: {part.title}"] = str(refusal)
    assert len(seen) > 100
    assert refused.keys() == UNSENDABLE.get(texts, set())
