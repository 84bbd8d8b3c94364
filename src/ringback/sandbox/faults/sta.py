"""Faults of call states: their spelling, whether they are right, and how they change."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.calls import SandboxCall
from ringback.sandbox.catalogue import fault
from ringback.sandbox.messages import AcceptedTrigger, JsonObject
from ringback.sandbox.settings import STATE_OF_LINE, SandboxSettings


def _shows(name: str, clause: str, description: str, state: str) -> None:
    """Register a fault that reports calls in progress with a state."""

    @fault(name, clause, description=description)
    class Shows(SandboxBehaviour):
        def pending_entry(self, call: SandboxCall) -> JsonObject | None:
            return self.make_entry(call.unique_id, state)


# STA-01


def _misspells(name: str, description: str, spell: Callable[[str], str]) -> None:
    """Register a fault that writes states as `spell` does."""

    @fault(name, "STA-01", description=description)
    class Misspells(SandboxBehaviour):
        def word_for(self, call: SandboxCall) -> str:
            return spell(super().word_for(call))


_GERMAN = dict(
    zip(
        STATE_OF_LINE.values(),
        ("Angenommen", "Besetzt", "Fehler", "Ungültige Nummer", "Keine Antwort", "Abgelehnt", "Nicht erreichbar"),
        strict=True,
    )
)
_SIP = dict(zip(STATE_OF_LINE.values(), ("200", "486", "500", "404", "408", "603", "480"), strict=True))

_misspells(
    "state-without-space", "Writes NoAnswer for No Answer.", lambda word: "NoAnswer" if word == "No Answer" else word
)
_misspells(
    "lower-case-answered", "Writes answered for Answered.", lambda word: "answered" if word == "Answered" else word
)
_misspells("upper-case-states", "Writes states in upper case.", str.upper)
_misspells("trailing-space-in-state", "Writes a blank after Busy.", lambda word: "Busy " if word == "Busy" else word)
_misspells(
    "no-break-space-in-state",
    "Writes Invalid Number with a no-break space.",
    lambda word: word.replace("d N", "d\xa0N"),
)
_misspells(
    "shortened-state", "Writes Unavailable for Temporarily Unavailable.", lambda word: word.removeprefix("Temporarily ")
)
_misspells("translated-states", "Writes states in German.", lambda word: _GERMAN.get(word, word))
_misspells("sip-codes", "Writes SIP status codes for states.", lambda word: _SIP.get(word, word))


_shows("ringing-while-pending", "STA-01", "Reports calls in progress as Ringing.", "Ringing")


# STA-02


def _never_ends(name: str, description: str, applies: Callable[[SandboxCall, int], bool]) -> None:
    """Register a fault that never ends calls for which `applies(call, its number from 1)` is true."""

    @fault(name, "STA-02", description=description)
    class NeverEnds(SandboxBehaviour):
        def ring_time(self, call: SandboxCall) -> float | None:
            seconds = super().ring_time(call)
            if applies(call, self.count("rung")):
                self.book.loop.call_soon(self.book.release_channel)
                return None
            return seconds


_never_ends(
    "no-answer-never-ends", "Never ends calls that are not answered.", lambda call, _: call.outcome == "No Answer"
)
_never_ends("busy-never-ends", "Never ends calls to a busy line.", lambda call, _: call.outcome == "Busy")
_never_ends("every-ninth-never-ends", "Never ends every ninth call.", lambda _, number: number % 9 == 0)


@fault("every-ninth-final-late", "STA-02")
class _EveryNinthFinalLate(SandboxBehaviour):
    """Ends every ninth call 1.5 seconds after the settle time that clients allow."""

    def ring_time(self, call: SandboxCall) -> float | None:
        late = self.count("rung") % 9 == 0
        return self.settings.settle_limit_seconds + 1.5 if late else super().ring_time(call)


@fault("every-ninth-lost", "STA-02")
class _EveryNinthLost(SandboxBehaviour):
    """Forgets every ninth call when it ends."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        self.lost: set[str] = set()

    def on_final(self, call: SandboxCall) -> None:
        if self.count("ended") % 9 == 0:
            self.lost.add(call.unique_id)
        super().on_final(call)

    def final_entry(self, call: SandboxCall) -> JsonObject | None:
        return None if call.unique_id in self.lost else super().final_entry(call)


# STA-03


def _mistakes(name: str, description: str, states: Mapping[str, str]) -> None:
    """Register a fault that replaces final states: `states` maps right ones to wrong ones."""

    @fault(name, "STA-03", description=description)
    class Mistakes(SandboxBehaviour):
        def outcome(self, order: AcceptedTrigger) -> str:
            state = super().outcome(order)
            return states.get(state, state)


_mistakes("busy-is-no-answer", "Ends calls to busy lines as No Answer.", {"Busy": "No Answer"})
_mistakes("error-is-no-answer", "Ends failing calls as No Answer.", {"Error": "No Answer"})
_mistakes("invalid-number-is-error", "Ends calls to invalid numbers as Error.", {"Invalid Number": "Error"})
_mistakes(
    "unavailable-is-no-answer",
    "Ends calls to unavailable lines as No Answer.",
    {"Temporarily Unavailable": "No Answer"},
)
_mistakes(
    "rejected-swapped",
    "Swaps Rejected and No Answer.",
    {"Rejected": "No Answer", "No Answer": "Rejected"},
)
_mistakes("answered-is-busy", "Ends answered calls as Busy.", {"Answered": "Busy"})
_mistakes("all-answered", "Ends every call as Answered.", dict.fromkeys(STATE_OF_LINE.values(), "Answered"))


@fault("state-of-previous-call", "STA-03")
class _StateOfPreviousCall(SandboxBehaviour):
    """Ends each call in the state that the call before it should have."""

    previous = ""

    def outcome(self, order: AcceptedTrigger) -> str:
        state = super().outcome(order)
        previous, self.previous = self.previous, state
        return previous or state


# STA-04


def _unsteady(name: str, description: str, state_at: Callable[[SandboxCall, int, float], str | None]) -> None:
    """Register a fault that reports `state_at(call, earlier reports of it, seconds since it ended)`."""

    @fault(name, "STA-04", description=description)
    class Unsteady(SandboxBehaviour):
        def final_entry(self, call: SandboxCall) -> JsonObject | None:
            before = self.count(call.unique_id) - 1
            word = state_at(call, before, self.book.loop.time() - call.finished_at)
            return None if word is None else self.make_entry(call.unique_id, word)


def _other(state: str) -> str:
    return "Error" if state != "Error" else "No Answer"


_unsteady(
    "result-read-once", "Forgets a result after it was read.", lambda call, before, _: None if before else call.state
)
_unsteady(
    "result-forgotten",
    "Forgets a result a second after the call ended.",
    lambda call, _, age: call.state if age < 1 else None,
)
_unsteady(
    "result-revised",
    "Reports another state from the third poll on.",
    lambda call, before, _: call.state if before < 2 else _other(call.state),
)
_unsteady(
    "result-flaps", "Reports a result at every other poll.", lambda call, before, _: None if before % 2 else call.state
)
_unsteady(
    "state-flaps",
    "Alternates between the right state and a wrong one.",
    lambda call, before, _: _other(call.state) if before % 2 else call.state,
)
_unsteady(
    "result-turns-error",
    "Reports Error a second after the call ended.",
    lambda call, _, age: call.state if age < 1 else _other(call.state),
)
_unsteady(
    "state-blanked",
    "Reports an empty state from the third poll on.",
    lambda call, before, _: call.state if before < 2 else "",
)


# STA-05


_shows("answered-while-ringing", "STA-05", "Reports calls in progress as Answered.", "Answered")
_shows("no-answer-while-ringing", "STA-05", "Reports calls in progress as No Answer.", "No Answer")
_shows("error-while-ringing", "STA-05", "Reports calls in progress as Error.", "Error")


@fault("result-shown-too-soon", "STA-05")
class _ResultShownTooSoon(SandboxBehaviour):
    """Reports the result of a ringing call at the first poll, and not again until the call ends."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        self.reported: set[str] = set()

    def pending_entry(self, call: SandboxCall) -> JsonObject | None:
        if call.unique_id in self.reported:
            return super().pending_entry(call)
        self.reported.add(call.unique_id)
        return self.make_entry(call.unique_id, call.outcome)
