"""The catalogue is large enough and has no name twice; the processes that it starts end."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from ringback.contract.clauses import CLAUSES, Level
from tests.deployments.catalogue import ADVISORY, STACKS, DeploymentVariant, missing, program, variants
from tests.deployments.running import Account, deployed, settings_of

ALL = variants()
INDEPENDENT = [stack for stack in STACKS if stack != "sandbox"]


def natural(stack: str) -> DeploymentVariant:
    if reason := missing(stack):
        pytest.skip(reason)
    return variants([stack])[0]


def trigger(account: Account, number: str) -> bytes:
    inputs = [{"Name": "_DisplayNumber", "Value": account.display_number}, {"Name": "_Destination", "Value": number}]
    return json.dumps(
        {
            "Project": account.project,
            "Tenant": account.tenant,
            "ConversationId": "conversation",
            "AccessToken": account.access_token,
            "ScenarioPath": account.scenario_path,
            "OrchestratorUrl": account.orchestrator_url,
            "ScenarioInputParameters": inputs,
        }
    ).encode()


def post(url: str, body: bytes) -> tuple[int, bytes]:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()


def test_no_two_variants_have_the_same_name() -> None:
    labels = [(variant.kind, variant.label) for variant in ALL]
    assert len(set(labels)) == len(labels)


def test_only_faults_name_clauses() -> None:
    for variant in ALL:
        assert set(variant.clauses) <= set(CLAUSES), variant
        assert bool(variant.clauses) == (variant.kind == "fault"), variant


def test_advisory_clauses_are_those_of_the_contract() -> None:
    assert {name for name, clause in CLAUSES.items() if clause.level is Level.ADVISORY} == ADVISORY


def test_there_are_enough_of_each_kind() -> None:
    assert sum(variant.kind == "fault" for variant in ALL) >= 120
    assert sum(variant.kind == "conforming" for variant in ALL) >= 30


@pytest.mark.parametrize("stack", INDEPENDENT)
def test_each_program_has_dialects_and_faults_of_its_own(stack: str) -> None:
    natural(stack)
    of_stack = variants([stack])
    assert sum(variant.kind == "conforming" for variant in of_stack) > 8
    assert sum(variant.kind == "fault" for variant in of_stack) >= 20


@pytest.mark.parametrize("stack", INDEPENDENT)
def test_a_deployment_logs_numbers_that_are_not_lines_and_ends_with_its_block(stack: str, tmp_path: Path) -> None:
    with deployed(natural(stack), tmp_path) as deployment:
        account, url = deployment.account, deployment.base_url
        status, body = post(f"{url}/v2/call", trigger(account, account.lines["answered"]))
        assert status == 200 and json.loads(body)["UniqueId"]
        assert not deployment.unknown_numbers()
        assert 400 <= post(f"{url}/v2/call", trigger(account, "5550199999"))[0] < 500
        assert len(deployment.unknown_numbers()) == 1
    with pytest.raises(OSError, match=r"refused|reset"):
        post(f"{url}/v2/call", b"{}")


@pytest.mark.parametrize("stack", INDEPENDENT)
def test_a_program_ends_when_its_parent_has_died(stack: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(settings_of(Account())))
    command = [*program(natural(stack)), "--settings", str(settings)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdin is not None and process.stdout is not None
            assert process.stdout.readline().startswith(b"listening on http://127.0.0.1:")
            process.stdin.close()
            process.wait(20)
        finally:
            process.kill()
