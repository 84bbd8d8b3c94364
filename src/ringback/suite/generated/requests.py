"""Requests that schemathesis generates from openapi.yaml: sent by our transport, and checked.

Valid triggers must be accepted, invalid ones must not, and no poll may get entries of ids that it did not ask for.
Calls cost money: a few valid triggers are enough, and an invalid one that is accepted ends the search; of the smaller
examples of it, only the smallest is sent.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ringback import checks
from ringback.contract.endpoints import POLL_PATH, TRIGGER_PATH
from ringback.deployment import NotSent, Trigger
from ringback.deployment.client import encode
from ringback.suite.deviation import Deviation, Inconclusive, must_hold
from ringback.suite.expect import sent
from ringback.suite.generated.defects import Defect, defects_of_poll, defects_of_trigger
from ringback.suite.probes import accepted
from ringback.suite.probes.drafts import Draft
from ringback.suite.probes.outcome import Outcome
from ringback.suite.session import Session

if TYPE_CHECKING:
    from ringback.suite.generated.bodies import TriggerVariation
    from ringback.suite.generated.runs import Stage

__all__ = ["CALLS", "generated_polls", "invalid_triggers", "valid_triggers"]

CALLS = 2
"""Valid triggers that are drawn. They are among those that the campaign sends at once."""
_INVALID = 18
"""Invalid triggers that are sent, each with another defect."""
_EXAMPLES_EACH = 5
"""Invalid triggers that are generated for each parameter."""
_POLLS = 28


def valid_triggers(suite: Session) -> None:
    """Judge the valid triggers that were drawn: they vary in everything that the contract leaves to the sender."""
    outcomes = [(variation, suite.record.outcome(probe)) for probe, variation in suite.drawn(CALLS).items()]
    answered = [(v, o, o.answer) for v, o in outcomes if o.draft is not None and o.answer is not None]
    for variation, outcome, answer in answered:
        _must_accept(answer)
        if answer.refused and not answer.accepted:
            _find_culprit(suite, variation, outcome, answer)
    if not any(answer.accepted for _, _, answer in answered):
        for _, outcome in outcomes:
            sent(outcome)
        raise Inconclusive(f"no valid trigger was accepted ({answered[0][2].describe_answer()})")


def _must_accept(answer: Trigger) -> None:
    """Raise the `Deviation` of a valid trigger's answer from ROB-01, ACK-01 or ACK-02, if it deviates."""
    must_hold(checks.is_no_server_error(answer), answer)
    must_hold(checks.acceptance_is_200(answer), answer)
    if answer.status is not None and answer.json.readable:
        must_hold(checks.carries_a_unique_id(answer), answer)


def _must_refuse(answer: Trigger, defects: Collection[Defect], title: str) -> None:
    """Raise the `Deviation` of an invalid trigger's answer, if it deviates.

    An acceptance breaks the clause of the defects, if they are all of one. ROB-01 covers 5xx, and no other clause does.
    """
    must_hold(checks.is_no_server_error(answer), answer)
    clauses = {defect.clause for defect in defects}
    if len(clauses) == 1:
        must_hold(checks.invalid_trigger_is_not_accepted(answer, clauses.pop(), title), answer)
    if defects and answer.status is not None:
        must_hold(checks.refusal_names_no_call(answer), answer)
        must_hold(checks.refusal_is_4xx(answer), answer)


def _find_culprit(suite: Session, variation: TriggerVariation, outcome: Outcome, refusal: Trigger) -> None:
    """Raise the `Deviation` of the aspect without which a refused valid trigger is accepted."""
    from ringback.suite.generated.bodies import ASPECTS

    def send(what: TriggerVariation, purpose: str) -> Trigger:
        draft = suite.campaign.draft(accepted("a valid trigger", what.change))
        return suite.send.trigger(draft, f"{purpose}, generated from openapi.yaml", expect_call=True)

    if outcome.control is not None and not outcome.control.accepted:
        raise Inconclusive(f"a plain valid trigger was not accepted either ({outcome.control.describe_answer()})")
    if outcome.again is not None and outcome.again.accepted:
        raise Inconclusive(
            f"a valid trigger was {refusal.describe_outcome()} at first, and accepted when sent again (see ROB-03)"
        )
    for clause in ASPECTS:
        if not variation.differs_in(clause):
            continue
        if send(variation.without(clause), f"the refused trigger without what {clause} allows").accepted:
            shown, blamed = refusal, variation.only(clause)
            for less in (blamed, *variation.pieces(clause)):
                answer = send(less, f"with what {clause} allows alone")
                if answer.accepted:
                    break  # accepted: this part alone is not refused, and each try costs a call
                if answer.refused:
                    shown, blamed = answer, less
            raise Deviation(
                f"a valid trigger was {shown.describe_outcome()}; without {_described(clause, blamed)} it is accepted",
                evidence=[shown], clause=clause,
            )  # fmt: skip
    raise Inconclusive(f"a valid trigger was {refusal.describe_outcome()}, and no single aspect of it explains that")


def _described(clause: str, variation: TriggerVariation) -> str:
    from ringback.suite.generated.bodies import ASPECTS

    parts = {name: getattr(variation, name) for name in ASPECTS[clause]}
    return ", ".join(f"{name.replace('_', ' ')} {value!r}" for name, value in parts.items() if value not in (None, ()))


def invalid_triggers(suite: Session) -> None:
    """Send triggers with one part invalid; none with a defect that the contract names may be accepted."""
    from schemathesis import GenerationMode

    from ringback.suite.generated.bodies import made_safe
    from ringback.suite.generated.runs import Stage, falsify

    deployment = suite.config.deployment
    plain = suite.campaign.draft(accepted("a valid trigger"))
    tried: set[frozenset[Defect]] = set()
    sought: tuple[frozenset[Defect], Deviation] | None = None

    def one(case: Any, stage: Stage) -> None:
        nonlocal sought
        content, defects = _trigger_of(case.body, deployment.project, deployment.access_token.all_in_force)
        if stage is Stage.SHRINK and sought is not None:
            if defects == sought[0]:
                raise sought[1]  # the same defects: no need to send it; the smallest is sent at the end
            return
        if stage is Stage.GENERATE and (defects in tried or len(tried) >= _INVALID):
            return
        tried.add(defects)
        what = " and ".join(sorted(defect.what for defect in defects)) or "nothing is invalid but the token"
        try:
            draft = Draft({}, plain.headers, plain.line, content)
            answer = suite.send.trigger(draft, f"generated from openapi.yaml, invalid: {what}")
        except NotSent:
            return
        try:
            _must_refuse(answer, defects, f"a trigger in which {what}")
        except Deviation as deviation:
            sought = sought or (defects, deviation)
            raise

    parameters = list(plain.body)
    random.Random(f"invalid {suite.seed}").shuffle(parameters)
    for parameter in parameters:

        def safe(body: Any, parameter: str = parameter) -> Any:
            return made_safe(body, plain.body, parameter)

        schema = _operations(safe, parameter=parameter)
        values = schema[TRIGGER_PATH]["POST"].as_strategy(generation_mode=GenerationMode.NEGATIVE)
        falsify(values, one, seed=suite.seed, examples=_EXAMPLES_EACH, shrinking=200)


def _trigger_of(body: Any, project: str, tokens: Collection[str]) -> tuple[bytes, frozenset[Defect]]:
    """The bytes to send and their defects; a body without defects gets a wrong token, so that it costs no call."""
    content = _bytes(body)
    defects = defects_of_trigger(content, project=project, tokens=tokens)
    if not defects:
        content = encode({**body, "AccessToken": "wrong"})
        defects = defects_of_trigger(content, project=project, tokens=tokens)
    return content, defects


def generated_polls(suite: Session) -> None:
    """Send valid polls, for known and unknown ids, and invalid ones."""
    from hypothesis import strategies as st
    from schemathesis import GenerationMode

    from ringback.suite.generated.runs import falsify

    known = [call.unique_id for call in suite.record.accepted_calls()]
    ids = st.one_of(st.sampled_from(known), st.sampled_from(["no-such-call", "no-call-at-all", "", "*", "مرحبا"]))
    bodies = st.lists(ids, min_size=1, max_size=20).map(lambda some: {"UniqueIds": some})

    def one(case: Any, _stage: Stage) -> None:
        content = _bytes(case.body)
        defects = defects_of_poll(content)
        what = "; ".join(sorted(defect.what for defect in defects)) or "valid"
        try:
            poll = suite.send.poll_with(content, f"poll generated from openapi.yaml ({what})")
        except NotSent:
            return
        must_hold(checks.is_no_server_error(poll), poll)
        must_hold(checks.names_only_asked_ids(poll, unknown_ids=poll.asked), poll)
        if defects:
            must_hold(checks.invalid_poll_is_refused(poll), poll)

    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        schema = _operations(strategy=bodies if mode is GenerationMode.POSITIVE else None)
        values = schema[POLL_PATH]["POST"].as_strategy(generation_mode=mode)
        falsify(values, one, seed=suite.seed, examples=_POLLS // 2, shrinking=60)


def _operations(change: Any = None, strategy: Any = None, parameter: str | None = None) -> Any:
    """openapi.yaml as a schemathesis schema.

    `change` is applied to each body; `strategy` generates bodies instead. With a `parameter`, triggers have only that.
    """
    import schemathesis
    from schemathesis.config import SchemathesisConfig

    from ringback.suite.generated.bodies import strict_description

    # The default configuration, whatever schemathesis file the user's folder has.
    schema = schemathesis.openapi.from_dict(strict_description(parameter), config=SchemathesisConfig())
    # Listing a codec's characters takes a second, and `encode` accepts any character.
    schema.config.generation.codec = None
    if change is not None:

        def map_body(_context: Any, body: Any) -> Any:
            return change(body)

        schema.hook(map_body)
    if strategy is not None:

        def before_generate_body(_context: Any, _strategy: Any) -> Any:
            return strategy

        schema.hook(before_generate_body)
    return schema


def _bytes(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    try:
        return encode(body)
    except TypeError:  # schemathesis marks an absent body so
        return b""
