"""The target of a command: the configured deployment, or a sandbox that runs as long as it is needed."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from ringback.config import ConfigError
from ringback.config.loading import Sources, gather
from ringback.target import resolve
from tests.loadgen.waiting import until

NOTHING = {"RINGBACK_CONFIG": ""}


def sources(**variables: str) -> Sources:
    return gather(None, {**NOTHING, **variables})


def test_a_named_deployment_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "ringback.toml"
    file.write_text(
        '[deployment]\nbase_url = "http://127.0.0.1:9"\nproject = "P"\nscenario_path = "/s"\n'
        'orchestrator_url = "https://o.example"\ndisplay_number = "200"\n[lines]\nanswered = "5551234567"\n'
    )
    with resolve(gather(file, {"RINGBACK_ACCESS_TOKEN": "token"})) as target:
        assert not target.embedded
        assert target.config.deployment.base_url == "http://127.0.0.1:9"
        assert target.config.result_destination is None
        assert target.config.sandbox.faults == ()
        assert target.config.sandbox.dialects == ()


def is_gone(url: str) -> bool:
    try:
        httpx.get(url, verify=False, trust_env=False)
    except httpx.HTTPError as error:
        return isinstance(error, httpx.ConnectError)
    return False


def test_without_one_a_sandbox_is_started_and_stopped() -> None:
    with resolve(sources(RINGBACK_LINES__ANSWERED="5551112222", RINGBACK_BUDGET__CALLS="7")) as target:
        deployment = target.config.deployment
        assert target.embedded
        assert target.config.lines.configured["answered"] == "5551112222"
        assert target.config.budget.calls == 7
        assert len(deployment.access_token.get_secret_value()) >= 24
        with httpx.Client(verify=False, trust_env=False) as http:
            assert http.get(f"{deployment.base_url}/v2/call").status_code == 405
            assert http.post(f"{deployment.base_url}/v2/callresult", json={"UniqueIds": ["x"]}).status_code == 200
    until(lambda: is_gone(deployment.base_url))


def test_the_embedded_deployments_token_is_another_each_time() -> None:
    tokens = set()
    for _ in range(2):
        with resolve(sources()) as target:
            tokens.add(target.config.deployment.access_token.get_secret_value())
    assert len(tokens) == 2


def test_the_embedded_deployment_varies_as_asked() -> None:
    wanted = {"RINGBACK_SANDBOX__FAULTS": "plain-http", "RINGBACK_SANDBOX__DIALECTS": "uuid-ids"}
    with resolve(sources(**wanted)) as target:
        assert target.config.sandbox.faults == ("plain-http",)
        assert target.config.sandbox.dialects == ("uuid-ids",)
        assert target.config.deployment.base_url.startswith("http://")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"RINGBACK_SANDBOX__FAULTS": "no-such-fault"}, "no-such-fault"),
        ({"RINGBACK_LINES__BUSY": "0"}, "lines.busy"),
        ({"RINGBACK_LINES__BUSY": "5550000001"}, "lines"),
        ({"RINGBACK_TIMING__SETTLE": "5"}, "timing.settle"),
    ],
)
def test_a_mistake_is_reported_before_anything_is_used(variables: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message), resolve(sources(**variables)):
        pytest.fail("it was started")


def test_what_goes_wrong_while_it_is_used_ends_the_sandbox_too() -> None:
    url = ""
    with pytest.raises(RuntimeError, match="something else"), resolve(sources()) as target:
        url = target.config.deployment.base_url
        raise RuntimeError("something else")
    until(lambda: is_gone(url))
