"""Curl commands in the forms in which people copy them, and the configuration that is made of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ringback.commands.init import TEMPLATE
from ringback.config.loading import Sources, gather
from ringback.first_steps.curl import CurlRequest, read_curl
from ringback.first_steps.draft import Draft, draft_from
from ringback.first_steps.words import Unreadable

TOKEN = "tok-7f3a91c2-SECRET"
NUMBER = "5551234567"
URL = "https://ivr.example.com:22222/v2/call"
BODY = {
    "Project": "Collections",
    "ConversationId": "c-1",
    "AccessToken": TOKEN,
    "ScenarioPath": "/ivr/collections",
    "OrchestratorUrl": "https://orchestrator.example.com",
    "Tenant": "Default",
    "EndUser": {"Name": "It's Ada", "Phone": NUMBER, "Email": "ada@example.com"},
    "Locale": "tr-TR",
    "ScenarioInputParameters": [
        {"Name": "_DisplayNumber", "Value": "0212"},
        {"Name": "_Destination", "Value": NUMBER},
        {"Name": "amount", "Value": "12 €"},
    ],
    "ResultDestination": "https://vendor.example.com/results",
}
TEXT = json.dumps(BODY, ensure_ascii=False, indent=1)
LINE = json.dumps(BODY, ensure_ascii=False)


def bash(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def ansi(text: str) -> str:
    """Chrome's form for a text with quotation marks or control characters."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("€", "\\u20ac")
    return f"$'{escaped}'"


def cmd(text: str) -> str:
    """Chrome's form for cmd.exe: every special character has a caret."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return '^"' + "".join(f"^{c}" if c in '"{}<>&|^%\\' else c for c in quoted) + '^"'


def older_cmd(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


FORMS = {
    "the documents' form": f"curl --location '{URL}' \\\n--header 'Content-Type: application/json' \\\n"
    f"--header 'Project;' \\\n--data-raw {bash(TEXT)}",
    "one line with short options": f"curl -sSLkXPOST {URL} -H'Content-Type: application/json' -d{bash(LINE)}",
    "a browser for bash": f"curl '{URL}' \\\n  -H 'accept: */*' \\\n  -H 'sec-fetch-mode: cors' \\\n"
    f"  --data-raw {ansi(TEXT)} \\\n  --compressed",
    "a browser for cmd": f'curl --location ^"{URL}^" ^\r\n  -H ^"Accept: */*^" ^\r\n  --data-raw {cmd(LINE)}',
    "an older browser for cmd": f'curl "{URL}" ^\n  -H "Accept: */*" ^\n  --data-binary {older_cmd(LINE)} ^\n -s',
    "PowerShell": f"curl.exe --location '{URL}' `\n  --header 'Accept: */*' `\n  -d '{{}}'; echo done",
    "json": f"curl --json {bash(LINE)} {URL}",
    "double quotes": f'curl "{URL}" --data "' + LINE.replace("\\", "\\\\").replace('"', '\\"') + '"',
    "here document": f"$ TOKEN=x /usr/bin/curl {URL} -d @- <<'EOF' | jq .\n{TEXT}\nEOF\nThat's all.",
    "here string": f"curl {URL} -d @- <<< {bash(LINE)}",
    "in a document": f"Here's how it's done:\n\n    curl {URL} --data {bash(LINE)}\n\nDon't forget the poll's form:\n"
    "curl https://ivr.example.com:22222/v2/callresult -d '{}'",
}


def draft(text: str) -> Draft:
    return draft_from(read_curl(text), Path.cwd())


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_form_is_read(form: str) -> None:
    request = read_curl(form)[0]
    assert request.url == URL
    if "curl.exe" not in form:
        assert json.loads(request.body or "") == BODY


@pytest.mark.parametrize("form", [f for n, f in FORMS.items() if n != "PowerShell"])
def test_a_configuration_is_made_of_it_without_secrets(form: str, tmp_path: Path) -> None:
    made = draft(form)
    assert made.token == TOKEN
    assert made.dialled == NUMBER
    assert made.lines == {}, "nobody said that the number may be dialled"
    assert made.variables == ["amount"]
    assert made.missing() == ["lines"]
    made.lines["busy"] = "5550000002"
    text = made.fill(TEMPLATE)
    for secret in (TOKEN, NUMBER, "Ada", "ada@example.com", "vendor.example.com"):
        assert secret not in text
    file = tmp_path / "made.toml"
    file.write_text(text, encoding="utf-8")
    config = gather(file, {}).build(token="x")
    deployment = config.deployment
    assert (deployment.base_url, deployment.project) == ("https://ivr.example.com:22222", "Collections")
    assert (deployment.scenario_path, deployment.display_number, deployment.locale) == (
        "/ivr/collections",
        "0212",
        "tr-TR",
    )
    assert config.lines.configured == {"busy": "5550000002"}
    assert deployment.verify is ("-sSLk" not in form)


def test_the_documents_themselves_have_only_placeholders() -> None:
    body = bash(json.dumps({**BODY, "AccessToken": "{{token}}", "Project": "{{project_name}}"}))
    made = draft(f"curl --location 'https://{{{{baseUrl}}}}:22222/v2/call' --data-raw {body}")
    assert made.token is None
    assert "deployment.base_url" in made.missing()
    assert "deployment.project" in made.missing()


def test_a_token_in_a_variable_names_the_variable() -> None:
    made = draft(f"curl {URL} -d {bash(json.dumps({**BODY, 'AccessToken': '$IVR_TOKEN'}))}")
    assert (made.token, made.token_variable) == (None, "IVR_TOKEN")


def test_a_value_with_a_secret_in_it_is_left_out() -> None:
    made = draft(f"curl {URL} -d {bash(json.dumps({**BODY, 'ScenarioPath': f'/ivr?t={TOKEN}'}))}")
    assert "scenario_path" not in made.deployment
    assert any("scenario_path was left out" in note for note in made.notes)
    assert not any(TOKEN in note for note in made.notes)


def test_credentials_and_queries_of_urls_are_left_out() -> None:
    made = draft("curl 'https://u:p4ssw0rd@ivr.example.com/gw/v2/call?key=k3y' -d '{}'")
    assert made.deployment["base_url"] == "https://ivr.example.com/gw"
    assert not any("p4ssw0rd" in note or "k3y" in note for note in made.notes)


def test_files_of_tls_are_named_if_they_are_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ca.pem").write_text("x")
    made = draft(f"curl --cacert ca.pem --cert no.pem:secretword {URL} -d '{{}}'")
    assert made.deployment["ca_bundle"] == "ca.pem"
    assert any("client_cert was left out" in note for note in made.notes)
    assert not any("secretword" in note for note in made.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "has no curl command; paste the whole command"),
        ("Invoke-WebRequest -Uri x", "is a PowerShell command; copy it as cURL"),
        (f"curl '{URL} -d", "a quotation mark is not closed; copy the whole command"),
        (f"curl \u2018{URL}\u2019 -d 'x", "has typographic quotation marks; replace them"),
    ],
)
def test_what_is_no_command_is_refused_with_a_fix(text: str, message: str) -> None:
    with pytest.raises(Unreadable, match=message):
        read_curl(text)


def test_a_body_that_is_not_in_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "body.json").write_text(LINE, encoding="utf-8")
    assert draft(f"curl {URL} -d @body.json").token == TOKEN
    assert any("can't be read" in note for note in draft(f"curl {URL} -d @no.json").notes)
    assert any("standard input" in note for note in draft(f"curl {URL} -d @-").notes)
    assert any("not JSON" in note for note in draft(f"curl {URL} -d 'a=b'").notes)


def test_a_draft_without_values_comments_what_is_missing() -> None:
    text = Draft().fill(TEMPLATE)
    assert '\n# base_url = "https://ivr.example.com:22222"' in text
    assert "\n# answered = " in text
    assert CurlRequest().path == ""
    assert Sources("x").names_a_deployment is False
