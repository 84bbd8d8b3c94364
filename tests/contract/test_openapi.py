"""openapi.yaml says what the documentation says: every parameter, every state, and how the parts connect."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from ringback.contract.clauses import CLAUSES
from ringback.contract.description import clause_ids_in_description, load_description
from ringback.contract.states import FINAL_STATES

Operation = Literal["trigger", "poll"]

ENDPOINTS: dict[Operation, str] = {"trigger": "/v2/call", "poll": "/v2/callresult"}
DESCRIPTION = load_description()
SCHEMAS: dict[str, Any] = DESCRIPTION["components"]["schemas"]

REQUIRED = {
    *("Project", "Tenant", "ConversationId", "AccessToken", "ScenarioPath"),
    *("OrchestratorUrl", "ScenarioInputParameters"),
}
OPTIONAL = {"EndUser", "Locale", "ResultDestination", "SendResultImmediately"}
NOT_STRINGS = {"EndUser": "object", "ScenarioInputParameters": "array", "SendResultImmediately": "boolean"}
STATES = ["Answered", "Busy", "Error", "Invalid Number", "No Answer", "Rejected", "Temporarily Unavailable"]

# RFC 9110 tokens and RFC 6901 pointers, in the grammar that OpenAPI 3.1 gives for runtime expressions.
EXPRESSION = re.compile(
    r"\$(url|method|statusCode|(request|response)\.(header\.[\w!#$%&'*+.^`|~-]+|query\..+|path\..+|body(#(?P<pointer>(/[^/{}]*)*))?))"
)


def resolve(node: Any) -> Any:
    """Follow a reference within the document, if this is one."""
    return at(node["$ref"].removeprefix("#")) if isinstance(node, dict) and "$ref" in node else node


def at(pointer: str, document: Any = DESCRIPTION) -> Any:
    """Return what a JSON Pointer points to; raise KeyError or IndexError if nothing is there."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document


def operation(name: Operation) -> dict[str, Any]:
    found: dict[str, Any] = DESCRIPTION["paths"][ENDPOINTS[name]]["post"]
    return found


def request_validator(name: Operation) -> Draft202012Validator:
    """A validator of the JSON body that a client sends."""
    return validator(DESCRIPTION, f"/paths/{ENDPOINTS[name].replace('/', '~1')}/post/requestBody")


def response_validator(name: Operation, *, pending_states: Iterable[str] = ()) -> Draft202012Validator:
    """A validator of the JSON body that comes with status 200; `pending_states` are call states too."""
    description = load_description()
    if declared := sorted(pending_states):
        description["components"]["schemas"]["CallState"]["anyOf"].append({"enum": declared})
    return validator(description, f"/paths/{ENDPOINTS[name].replace('/', '~1')}/post/responses/200")


def validator(description: dict[str, Any], message: str) -> Draft202012Validator:
    registry: Registry[Any] = Registry().with_resource("urn:api", DRAFT202012.create_resource(description))
    schema = f"urn:api#{message}/content/application~1json/schema"
    return Draft202012Validator({"$ref": schema}, registry=registry)


def body_examples(content: dict[str, Any]) -> dict[str, Any]:
    return {name: resolve(example)["value"] for name, example in content["application/json"]["examples"].items()}


def trigger_bodies() -> dict[str, Any]:
    return body_examples(operation("trigger")["requestBody"]["content"])


def everything() -> dict[str, Any]:
    body: dict[str, Any] = load_description()["components"]["examples"]["TriggerEverything"]["value"]
    return body


def schemas_with_examples(node: Any, pointer: str = "/components/schemas") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("examples"), list):
            yield pointer, node
        for key, child in node.items():
            if key != "examples":
                yield from schemas_with_examples(child, f"{pointer}/{key}")
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from schemas_with_examples(child, f"{pointer}/{index}")


class TestDocument:
    def test_is_valid_openapi_3_1(self) -> None:
        assert DESCRIPTION["openapi"].startswith("3.1.")
        assert [error.message for error in OpenAPIV31SpecValidator(DESCRIPTION).iter_errors()] == []

    def test_serves_https_on_the_documented_port(self) -> None:
        (server,) = DESCRIPTION["servers"]
        assert server["url"] == "https://{host}:{port}"
        assert server["variables"]["port"]["default"] == "22222"

    def test_has_the_two_endpoints_and_post_only(self) -> None:
        methods = {
            path: {key for key in item if not key.startswith("x-")} for path, item in DESCRIPTION["paths"].items()
        }
        assert methods == {"/v2/call": {"post"}, "/v2/callresult": {"post"}}

    @pytest.mark.parametrize("name", ["trigger", "poll"])
    def test_answers_are_200_and_anything_4xx(self, name: Operation) -> None:
        responses = operation(name)["responses"]
        assert set(responses) == {"200", "4XX"}
        assert resolve(responses["4XX"])["content"] == {"*/*": {"schema": {}}}

    def test_loading_gives_each_caller_a_copy(self) -> None:
        load_description()["paths"].clear()
        assert load_description()["paths"]


class TestParameters:
    def test_the_trigger_has_the_documented_ones_and_requires_the_documented_ones(self) -> None:
        trigger = SCHEMAS["TriggerRequest"]
        assert set(trigger["properties"]) == REQUIRED | OPTIONAL
        assert set(trigger["required"]) == REQUIRED

    @pytest.mark.parametrize("name", sorted(REQUIRED | OPTIONAL))
    def test_each_has_type_description_and_example(self, name: str) -> None:
        schema = resolve(SCHEMAS["TriggerRequest"]["properties"][name])
        assert schema["type"] == NOT_STRINGS.get(name, "string")
        assert schema["description"]
        assert schema["examples"]
        assert name in everything()

    @pytest.mark.parametrize("part", ["Name", "Phone", "Email"])
    def test_the_end_users_parts_are_optional_strings(self, part: str) -> None:
        assert SCHEMAS["EndUser"]["properties"][part]["type"] == "string"
        assert "required" not in SCHEMAS["EndUser"]

    def test_no_object_is_closed_to_unknown_members(self) -> None:
        assert not [pointer for pointer, node in walk(DESCRIPTION) if "additionalProperties" in node]

    def test_the_project_header_is_optional_and_may_be_blank(self) -> None:
        (parameter,) = map(resolve, operation("trigger")["parameters"])
        assert (parameter["name"], parameter["in"], parameter["required"]) == ("Project", "header", False)
        assert Draft202012Validator(parameter["schema"]).is_valid("")
        assert [example["value"] for example in parameter["examples"].values()] == ["", "Collections"]


class TestExamples:
    @pytest.mark.parametrize(
        ("pointer", "schema"), [pytest.param(*found, id=found[0]) for found in schemas_with_examples(SCHEMAS)]
    )
    def test_of_schemas_validate(self, pointer: str, schema: dict[str, Any]) -> None:
        rooted = {**schema, "components": DESCRIPTION["components"]}
        validator = Draft202012Validator(rooted)
        for example in schema["examples"]:
            validator.validate(example)

    @pytest.mark.parametrize("name", trigger_bodies())
    def test_of_triggers_validate(self, name: str) -> None:
        request_validator("trigger").validate(trigger_bodies()[name])

    def test_cover_everything_and_the_bare_minimum(self) -> None:
        bodies = trigger_bodies()
        assert set(bodies["everything"]) == REQUIRED | OPTIONAL
        assert set(bodies["everything"]["EndUser"]) == {"Name", "Phone", "Email"}
        assert len(bodies["everything"]["ScenarioInputParameters"]) == 4
        assert set(bodies["requiredOnly"]) == REQUIRED

    def test_of_polls_validate(self) -> None:
        for body in body_examples(operation("poll")["requestBody"]["content"]).values():
            request_validator("poll").validate(body)

    @pytest.mark.parametrize("name", ["trigger", "poll"])
    def test_of_answers_validate(self, name: Operation) -> None:
        for body in body_examples(operation(name)["responses"]["200"]["content"]).values():
            response_validator(name).validate(body)


class TestTriggerBodies:
    @pytest.mark.parametrize("name", sorted(REQUIRED))
    def test_without_a_required_parameter_fail(self, name: str) -> None:
        body = everything()
        del body[name]
        assert not request_validator("trigger").is_valid(body)

    @pytest.mark.parametrize("name", sorted(OPTIONAL))
    def test_without_an_optional_parameter_pass(self, name: str) -> None:
        body = everything()
        del body[name]
        request_validator("trigger").validate(body)

    @pytest.mark.parametrize("name", sorted(REQUIRED - {"ScenarioInputParameters"}))
    @pytest.mark.parametrize("value", ["", None, 5, {}])
    def test_with_nothing_or_another_type_in_a_required_string_fail(self, name: str, value: object) -> None:
        assert not request_validator("trigger").is_valid({**everything(), name: value})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("SendResultImmediately", "false"),
            ("SendResultImmediately", 0),
            ("EndUser", "Jane Roe"),
            ("EndUser", []),
            ("Locale", 7),
            ("ResultDestination", {}),
            ("ScenarioInputParameters", {"_Destination": "5550000001", "_DisplayNumber": "200"}),
        ],
    )
    def test_with_another_type_fail(self, name: str, value: object) -> None:
        assert not request_validator("trigger").is_valid({**everything(), name: value})

    @pytest.mark.parametrize("missing", ["_DisplayNumber", "_Destination"])
    def test_without_caller_id_or_destination_fail(self, missing: str) -> None:
        body = everything()
        entries = body["ScenarioInputParameters"]
        body["ScenarioInputParameters"] = [entry for entry in entries if entry["Name"] != missing]
        assert not request_validator("trigger").is_valid(body)

    @pytest.mark.parametrize(
        "entry", [{"Name": "a"}, {"Value": "a"}, {"Name": "a", "Value": 1}, {"Name": 1, "Value": "a"}, "a=1"]
    )
    def test_with_a_variable_that_is_not_name_and_value_fail(self, entry: object) -> None:
        body = everything()
        body["ScenarioInputParameters"].append(entry)
        assert not request_validator("trigger").is_valid(body)

    def test_with_an_empty_destination_fail(self) -> None:
        body = everything()
        body["ScenarioInputParameters"][1]["Value"] = ""
        assert not request_validator("trigger").is_valid(body)

    def test_with_entries_in_any_order_and_number_pass(self) -> None:
        body = everything()
        body["ScenarioInputParameters"].reverse()
        body["ScenarioInputParameters"] += [{"Name": f"v{n}", "Value": ""} for n in range(20)]
        request_validator("trigger").validate(body)

    def test_with_unknown_members_pass(self) -> None:
        request_validator("trigger").validate({**everything(), "Priority": 1})


class TestAnswers:
    def test_the_seven_states_are_the_documented_ones(self) -> None:
        assert SCHEMAS["FinalCallState"]["enum"] == STATES
        for state in STATES:
            assert f"| {state} |" in SCHEMAS["FinalCallState"]["description"]

    def test_the_states_in_code_are_the_same_ones(self) -> None:
        assert set(SCHEMAS["FinalCallState"]["enum"]) == FINAL_STATES

    @pytest.mark.parametrize("state", [*STATES, ""])
    def test_a_documented_or_empty_state_passes(self, state: str) -> None:
        response_validator("poll").validate(poll_answer(state))

    @pytest.mark.parametrize("state", ["NoAnswer", "answered", "Answered ", "Ringing", None, 3])
    def test_any_other_state_fails(self, state: object) -> None:
        assert not response_validator("poll").is_valid(poll_answer(state))

    def test_a_declared_word_for_a_call_in_progress_passes(self) -> None:
        response_validator("poll", pending_states=["Ringing"]).validate(poll_answer("Ringing"))
        assert not response_validator("poll", pending_states=["Ringing"]).is_valid(poll_answer("Dialling"))
        assert not response_validator("poll").is_valid(poll_answer("Ringing"))

    @pytest.mark.parametrize("member", ["UniqueId", "CallRequestId", "CallState"])
    def test_an_entry_without_a_member_fails(self, member: str) -> None:
        answer = poll_answer("Busy")
        del answer["CallResults"][0][member]
        assert not response_validator("poll").is_valid(answer)

    @pytest.mark.parametrize("answer", [[], {}, {"CallResults": None}, {"CallResults": {}}])
    def test_a_poll_answer_without_the_array_fails(self, answer: object) -> None:
        assert not response_validator("poll").is_valid(answer)

    @pytest.mark.parametrize(
        "answer", [{}, {"uniqueId": "a"}, {"UniqueId": ""}, {"UniqueId": 1}, {"UniqueId": None}, [], "a"]
    )
    def test_a_trigger_answer_without_an_id_fails(self, answer: object) -> None:
        assert not response_validator("trigger").is_valid(answer)

    def test_further_members_pass(self) -> None:
        response_validator("trigger").validate({"UniqueId": "a", "Queue": 3})


class TestConnections:
    def test_the_link_takes_the_id_from_the_answer_to_the_poll(self) -> None:
        answer = operation("trigger")["responses"]["200"]
        (link,) = answer["links"].values()
        assert link["operationId"] == operation("poll")["operationId"]
        text = link["requestBody"]  # text, because expressions may be embedded in text only
        (embedded,) = re.findall(r"\{(\$[^{}]*)\}", text)
        found = EXPRESSION.fullmatch(embedded)
        assert found is not None
        assert embedded.startswith("$response.body#")
        body = body_examples(answer["content"])["accepted"]
        poll = json.loads(text.replace(f"{{{embedded}}}", at(found["pointer"], body)))
        request_validator("poll").validate(poll)
        assert poll == {"UniqueIds": [body["UniqueId"]]}

    def test_the_callback_goes_to_the_requests_result_destination(self) -> None:
        (callback,) = operation("trigger")["callbacks"].values()
        (address,) = callback
        found = EXPRESSION.fullmatch(address.removeprefix("{").removesuffix("}"))
        assert found is not None
        assert address.startswith("{$request.body#")
        body = everything()
        assert at(found["pointer"], body) == body["ResultDestination"]

    def test_the_callbacks_body_is_free_form(self) -> None:
        (callback,) = operation("trigger")["callbacks"].values()
        (item,) = callback.values()
        ((media_type, content),) = item["post"]["requestBody"]["content"].items()
        assert (media_type, content["schema"]) == ("*/*", {})

    def test_operation_ids_are_unique(self) -> None:
        ids = [node["operationId"] for _, node in walk(DESCRIPTION) if "responses" in node and "operationId" in node]
        assert len(ids) == len(set(ids)) == 3


class TestClauses:
    def test_all_are_named_and_none_is_unknown(self) -> None:
        named = set(clause_ids_in_description())
        assert named - set(CLAUSES) == set(), "x-clauses names ids that the catalogue does not have"
        assert set(CLAUSES) - named == set(), "the catalogue has ids that no x-clauses names"

    def test_pointers_lead_to_the_object_that_names_the_clause(self) -> None:
        for clause_id, pointers in clause_ids_in_description().items():
            assert len(pointers) == len(set(pointers))
            for pointer in pointers:
                assert clause_id in at(pointer)["x-clauses"]

    def test_each_list_is_free_of_repeats_and_in_contract_order(self) -> None:
        order = list(CLAUSES)
        for pointer, node in walk(DESCRIPTION):
            if "x-clauses" in node:
                assert node["x-clauses"] == sorted(set(node["x-clauses"]), key=order.index), pointer


def poll_answer(state: object) -> dict[str, Any]:
    return {"CallResults": [{"UniqueId": "a", "CallRequestId": "", "CallState": state}]}


def walk(node: Any, pointer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document, with its pointer."""
    if isinstance(node, dict):
        yield pointer, node
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in items:
        yield from walk(child, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
