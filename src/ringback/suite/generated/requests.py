"""Requests that schemathesis makes from openapi.yaml, with our strategies, sent through our transport and judged.

Valid triggers must be accepted, spoilt ones must not, and no poll may be told of a stranger. Calls cost money: valid
triggers end after a few, a spoilt one ends the search once it is accepted, and smaller examples of it are found without
sending any but the last.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from ringback.deployment import ExchangeError, NotSent, Trigger
from ringback.deployment.client import encode
from ringback.suite.deviation import Deviation, Inconclusive
from ringback.suite.generated.defects import Defect, defects_of_poll, defects_of_trigger
from ringback.suite.probes import accepted
from ringback.suite.probes.drafts import Draft
from ringback.suite.session import Session

if TYPE_CHECKING:
    from ringback.suite.generated.bodies import Variation
    from ringback.suite.generated.runs import Stage

__all__ = ["CALLS", "generated_polls", "invalid_triggers", "valid_triggers"]

CALLS = 2
"""Valid triggers that are accepted where all is well; finding out what is wrong with one may take another."""
_SPOILT = 18
"""Spoilt triggers that are sent: each stands for another defect."""
_EXAMPLES_EACH = 5
"""Spoilt triggers that are made for each parameter."""
_POLLS = 28
_TRIGGER, _POLL = "/v2/call", "/v2/callresult"


def valid_triggers(suite: Session) -> None:
    """Send valid triggers that vary in all that the contract leaves to the sender."""
    from ringback.suite.generated.bodies import variations
    from ringback.suite.generated.checks import CHECKS_OF_VALID, Heard, validate
    from ringback.suite.generated.runs import Stage, falsify

    plain = suite.campaign.draft(accepted("a valid trigger"))
    operation = _operations()[_TRIGGER]["POST"]
    sent: list[Trigger] = []
    begun = False

    def one(variation: Variation, stage: Stage) -> None:
        nonlocal begun
        if stage is not Stage.GENERATE or not begun or len(sent) >= CALLS:
            # Hypothesis begins with the simplest one, of which the campaign has sent the like. A refused one is made
            # smaller by its controls, since each that is accepted on the way costs a call.
            begun = True
            return
        draft = variation.applied(plain)
        answer = suite.send.trigger(draft, "valid, generated from openapi.yaml", expect_call=True)
        sent.append(answer)
        validate(operation.Case(body=draft.body), Heard(answer), CHECKS_OF_VALID)
        if answer.refused and not answer.accepted:
            _find_culprit(suite, plain, variation, answer)

    try:
        falsify(variations(), one, seed=suite.seed, examples=CALLS + 3, shrinking=0)
    except ExchangeError as trouble:
        if not any(answer.accepted for answer in sent):
            raise Inconclusive(str(trouble)) from None
    if sent and all(answer.status is None for answer in sent):
        raise Inconclusive(f"no valid trigger was answered ({sent[0].describe_answer()}, see ROB-02)")


def _find_culprit(suite: Session, plain: Draft, variation: Variation, refusal: Trigger) -> None:
    """Which aspect of a valid trigger is refused: the one without which it is accepted. Refusals cost nothing."""
    from ringback.suite.generated.bodies import ASPECTS

    def send(what: Variation, purpose: str) -> Trigger:
        draft = what.applied(plain).in_conversation(suite.maker.word())
        return suite.send.trigger(draft, f"{purpose}, generated from openapi.yaml", expect_call=True)

    if send(variation, "the refused one once more").accepted:
        raise Inconclusive(
            f"a valid trigger was {refusal.describe_outcome()} at first, and accepted once more (see ROB-03)"
        )
    for clause in ASPECTS:
        if not variation.differs_in(clause):
            continue
        if send(variation.without(clause), f"the refused one without what {clause} allows").accepted:
            shown, blamed = refusal, variation.only(clause)
            for less in (blamed, *variation.pieces(clause)):
                answer = send(less, f"with what {clause} allows alone")
                if answer.accepted:
                    break  # one call is enough to learn that it is not this alone
                if answer.refused:
                    shown, blamed = answer, less
            raise Deviation(
                f"a valid trigger was {shown.describe_outcome()}; without {_described(clause, blamed)} it is accepted",
                evidence=[shown], clause=clause,
            )  # fmt: skip
    raise Inconclusive(f"a valid trigger was {refusal.describe_outcome()}, and no one aspect of it is to blame")


def _described(clause: str, variation: Variation) -> str:
    from ringback.suite.generated.bodies import ASPECTS

    parts = {name: getattr(variation, name) for name in ASPECTS[clause]}
    return ", ".join(f"{name.replace('_', ' ')} {value!r}" for name, value in parts.items() if value not in (None, ()))


def invalid_triggers(suite: Session) -> None:
    """Send triggers with one part or another spoilt; none with a defect that the contract names may be accepted."""
    from schemathesis import GenerationMode

    from ringback.suite.generated.bodies import made_safe
    from ringback.suite.generated.checks import CHECKS_OF_SPOILT, Heard, validate
    from ringback.suite.generated.runs import Stage, falsify

    deployment = suite.config.deployment
    plain = suite.campaign.draft(accepted("a valid trigger"))
    tried: set[frozenset[Defect]] = set()
    sought: tuple[frozenset[Defect], Deviation] | None = None

    def one(case: Any, stage: Stage) -> None:
        nonlocal sought
        content, defects = _trigger_of(case.body, deployment.project, deployment.access_token.get_secret_value())
        if stage is Stage.SHRINK and sought is not None:
            if defects == sought[0]:
                raise sought[1]  # as much as it takes, and no call: the last one is sent again
            return
        if stage is Stage.GENERATE and (defects in tried or len(tried) >= _SPOILT):
            return
        tried.add(defects)
        told = " and ".join(sorted(defect.what for defect in defects)) or "what the contract leaves open"
        try:
            draft = Draft({}, plain.headers, plain.line, content)
            answer = suite.send.trigger(draft, f"generated from openapi.yaml, and spoilt: {told}")
        except NotSent:
            return
        try:
            validate(case, Heard(answer, defects, f"a trigger in which {told}"), CHECKS_OF_SPOILT)
        except Deviation as deviation:
            sought = sought or (defects, deviation)
            raise

    parameters = list(plain.body)
    random.Random(f"spoilt {suite.seed}").shuffle(parameters)
    for parameter in parameters:

        def safe(body: Any, parameter: str = parameter) -> Any:
            return made_safe(body, plain.body, parameter)

        schema = _operations(safe, parameter=parameter)
        values = schema[_TRIGGER]["POST"].as_strategy(generation_mode=GenerationMode.NEGATIVE)
        falsify(values, one, seed=suite.seed, examples=_EXAMPLES_EACH, shrinking=200)


def _trigger_of(body: Any, project: str, token: str) -> tuple[bytes, frozenset[Defect]]:
    """The bytes to send and their defects; what has none is given a wrong token, so that it costs no call."""
    content = _bytes(body)
    defects = defects_of_trigger(content, project=project, token=token)
    if not defects:
        content = encode({**body, "AccessToken": "wrong"})
        defects = defects_of_trigger(content, project=project, token=token)
    return content, defects


def generated_polls(suite: Session) -> None:
    """Send polls as described, for known and unknown ids, and spoilt ones."""
    from hypothesis import strategies as st
    from schemathesis import GenerationMode

    from ringback.suite.generated.checks import CHECKS_OF_POLLS, Heard, validate
    from ringback.suite.generated.runs import falsify

    known = [call.unique_id for call in suite.record.accepted_calls()]
    ids = st.one_of(st.sampled_from(known), st.sampled_from(["no-such-call", "nobody", "", "*", "مرحبا"]))
    bodies = st.lists(ids, min_size=1, max_size=20).map(lambda some: {"UniqueIds": some})

    def one(case: Any, _stage: Stage) -> None:
        content = _bytes(case.body)
        defects = defects_of_poll(content)
        what = "; ".join(sorted(defect.what for defect in defects)) or "as described"
        try:
            poll = suite.send.poll_with(content, f"poll generated from openapi.yaml ({what})")
        except NotSent:
            return
        validate(case, Heard(poll, defects), CHECKS_OF_POLLS)

    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        schema = _operations(strategy=bodies if mode is GenerationMode.POSITIVE else None)
        values = schema[_POLL]["POST"].as_strategy(generation_mode=mode)
        falsify(values, one, seed=suite.seed, examples=_POLLS // 2, shrinking=60)


def _operations(change: Any = None, strategy: Any = None, parameter: str | None = None) -> Any:
    """The description as schemathesis has it; `change` is made to each body, `strategy` makes the bodies instead.

    With a `parameter`, triggers are described as having that one alone.
    """
    import schemathesis
    from schemathesis.config import SchemathesisConfig

    from ringback.suite.generated.bodies import strict_description

    # No configuration of schemathesis's own that may lie about where the user works.
    schema = schemathesis.openapi.from_dict(strict_description(parameter), config=SchemathesisConfig())
    # To ask a codec for all the characters that it knows takes a second; `encode` copes with any.
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
    except TypeError:  # schemathesis's mark for no body at all
        return b""
