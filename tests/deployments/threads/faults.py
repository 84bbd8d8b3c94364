"""The faults of the threads deployment, as a table: the clauses that each breaks, its main clause first, its name, and
what the deployment does wrong. The code asks for the active fault by name."""

from collections.abc import Mapping
from dataclasses import dataclass

TABLE = """
TRN-03 any-method | runs a trigger that comes by PUT as if it came by POST
TRN-03 get-poll | answers GET on the poll's address with 200 and an empty list
TRN-03 head-answered | answers HEAD with 200, as for a load balancer
TRN-03 get-redirected | redirects GET to a page of documentation
TRN-04 poll-as-text | says text/plain on polls
TRN-04 empty-untyped | leaves Content-Type out when a poll has nothing to report
TRN-04 trigger-as-html | says text/html on accepted triggers
TRN-05 bom-on-poll | begins each poll's answer with a byte-order mark
TRN-05 trailing-comment | ends a trigger's answer with an HTML comment about the time it took
TRN-05 guarded-json | puts the guard against script inclusion before a poll's answer when there are results
TRN-05 nan-duration | reports NaN as the duration of a call that still rings
TRN-06 state-twice | names CallState twice in each result, first empty and then with the state
TRN-06 id-twice | names UniqueId twice in a trigger's answer, with the same value
TRN-06 nested-twice | names a member twice inside the object of an extra member of a poll's answer
REQ-01 empty-header-refused | refuses a header Project that is empty
REQ-01 full-example-refused | refuses a trigger that carries all four optional parameters
REQ-02 some-option-needed | refuses a trigger that has neither EndUser nor Locale
REQ-02 bare-trigger-refused | refuses a trigger that carries no optional parameter at all
REQ-03,REQ-02 locale-needed | refuses a trigger without Locale
REQ-03 flag-needed | refuses a ResultDestination that comes without SendResultImmediately
REQ-03 destination-needed | refuses SendResultImmediately when ResultDestination is left out
REQ-04 sixteen-entries | refuses more than sixteen entries in ScenarioInputParameters
REQ-04,REQ-02 variable-needed | refuses a trigger without a project variable
REQ-04 one-variable-refused | refuses a trigger with just one project variable
REQ-05 display-number-first | refuses a trigger whose first entry is not _DisplayNumber
REQ-05 reserved-before-variables | does not see a _Destination that comes after a project variable
REQ-06 header-needed | refuses a trigger without the header Project
REQ-06 header-named-refused | refuses a header Project that carries the project's name
REQ-07 phone-needed | refuses an EndUser without Phone
REQ-07 empty-end-user-refused | refuses an EndUser without members
REQ-07 email-with-name | refuses an EndUser with Email but no Name
REQ-08 latin-only | refuses text that Latin-1 can't hold
REQ-08 three-byte-text | refuses text beyond the basic plane, emoji for one
REQ-08 empty-variable-refused | refuses an empty value of a project variable
REQ-08 line-break-refused | refuses a value with a line break
REQ-08 firewall | refuses values with an angle bracket or a single quote with 403, as a firewall before it would
REQ-08 percent-refused | refuses values with a percent sign that no two hex digits follow
REQ-09,REQ-01 false-is-missing | refuses SendResultImmediately when it is false, taking that for missing
REQ-09 true-refused | refuses SendResultImmediately when it is true
REQ-10 tenant-defaulted | takes a trigger without Tenant for one of the default tenant
REQ-10 orchestrator-optional | accepts a trigger without OrchestratorUrl
REQ-10 conversation-made-up | accepts a trigger without ConversationId
REQ-10,REQ-15 absent-token-accepted | accepts a trigger without AccessToken
REQ-11 display-number-optional | accepts a trigger without _DisplayNumber
REQ-11 destination-checked-later | accepts a trigger without _Destination and lets the call end as Invalid Number
REQ-12 null-scenario | accepts null for ScenarioPath
REQ-12 empty-conversation | accepts an empty ConversationId
REQ-12 null-tenant | accepts null for Tenant
REQ-12 empty-destination | accepts an empty _Destination and lets the call end as Invalid Number
REQ-13 number-for-text | accepts a number for ConversationId
REQ-13 flag-as-text | accepts "true" and "false" as text for SendResultImmediately
REQ-13 flag-as-number | accepts 0 and 1 for SendResultImmediately
REQ-13 value-as-number | accepts a number as the Value of a project variable
REQ-13 end-user-as-text | accepts text for EndUser
REQ-13 end-user-unlooked | accepts an EndUser whose Name is no text
REQ-13 parameters-as-object | accepts ScenarioInputParameters as one object of names and values
REQ-13 locale-unlooked | accepts a Locale of any type
REQ-14 array-of-one | accepts an array that holds one trigger
REQ-14 text-in-text | accepts a JSON string that holds a trigger as text
REQ-14 cut-off-repaired | accepts a body that lacks its closing brace
REQ-15 token-case-blind | accepts the token in other case
REQ-15 token-prefix | accepts any beginning of the token of at least four characters
REQ-15 token-appended | accepts the token with something appended
REQ-15 token-trimmed | accepts the token with white space around it
REQ-15 token-anywhere | accepts the right token with another Project
REQ-15 token-ends-alike | accepts a token of the right length that begins and ends as the right one does
REQ-16 refused-with-200 | answers a wrong token with 200 and an error text
REQ-16 refused-with-id | gives a UniqueId in the refusal of a trigger that lacks something
REQ-16 login-page | redirects a wrong token to a login page
REQ-16 refused-but-dialled | refuses a wrong token, yet places the call and names its UniqueId in the refusal
ACK-01 created | answers an accepted trigger with 201
ACK-01 queued-202 | answers 202 when the result is to be queued
ACK-02 id-as-number | gives the UniqueId as a number to calls without EndUser
ACK-02 id-renamed | spells UniqueId as uniqueId
ACK-02 id-in-list | wraps a trigger's answer in an array
ACK-03 id-of-body | gives byte-identical triggers the same UniqueId
ACK-03 id-of-conversation | gives all calls of a ConversationId the same UniqueId
ACK-03,STA-03 id-raced | gives triggers that come at once the same UniqueId
ACK-03,STA-03 id-wraps | repeats its ids after 24 calls
ACK-03 id-of-line-second | gives calls to one line within one second the same UniqueId
ACK-03 id-of-ringing-line | gives a call to a line that still rings the UniqueId of the first call
ACK-04 id-counts | counts its ids upwards
ACK-04 id-of-clock | makes its ids of the second and a counter
RES-01 pending-202 | answers a poll with 202 while a call in it is pending
RES-01 pending-404 | answers 404 to a poll for a single call that is pending
RES-01 finished-206 | answers 206 when some calls of a poll are final and some not
RES-02 single-unwrapped | gives CallResults as an object when there is just one result
RES-02 none-is-null | gives CallResults as null when there is nothing to report
RES-02 none-is-nothing | leaves CallResults out when there is nothing to report
RES-03 request-id-null | gives null for CallRequestId
RES-03 request-id-late | leaves CallRequestId out while a call is pending
RES-03 pending-null | gives null as the state of a pending call
RES-04 sixteen-reported | answers only the first sixteen of a batch
RES-04 eleventh-lost | loses the first call of each further ten of a batch
RES-04 pair-swapped | swaps the states of the first unlike neighbours in a batch of five or more
RES-04 line-once | reports only the last of a batch's calls to the same line
RES-04 batch-loses-rejected | leaves rejected calls out of answers with several results
RES-04 fifteen-at-most | refuses batches above fifteen
RES-04 last-again | reports the last call of a batch of three or more twice
RES-04 first-state-for-all | gives each call of a batch above ten the state of the tenth from there on
RES-05 empty-is-all | answers an empty list with all calls
RES-05,RES-08 missing-is-all | answers a missing list with all calls
RES-05,RES-08 null-is-all | answers null instead of a list with all calls
RES-05 line-mates | adds the latest other call to the same line to the results
RES-05 pattern-ids | matches ids as SQL patterns, so that a percent sign finds all calls
RES-05 part-of-id | finds calls by the first eight characters of an id
RES-05,RES-08 falsy-entry-is-all | answers a list with null, zero or an empty string in it with all calls
RES-06 id-first-part | gives the state for any id that begins with the first 18 characters of a known one
RES-06 id-with-tail | gives the state for an id with something appended
RES-06 unknown-is-error | gives unknown ids the state Error
RES-06 unknown-takes-last | gives an unknown id the state of the call before it in the poll
RES-07 unknown-spoils | answers 404 to a poll with an unknown id among known ones
RES-07 unknown-ends | reports nothing of the ids that follow an unknown one
RES-07 misshapen-spoils | refuses a poll with an id that does not look like its own, among known ones
RES-08 bodiless-poll | answers a poll without a body with 200 and no results
RES-08 single-id-as-text | takes text for UniqueIds as the one id
RES-08 numbers-skipped | passes over entries that are not text in UniqueIds
RES-08 bare-list | takes a bare JSON array for the list of ids
RES-08 missing-is-none | answers a poll without UniqueIds with no results
RES-09 second-is-empty | reports an id asked for twice a second time with an empty state
RES-09 twice-refused | refuses a poll that asks for an id twice
RES-09 twice-cancels | leaves an id asked for twice out
STA-01 no-answer-joined | spells No Answer as NoAnswer
STA-01 busy-shouted | spells Busy as BUSY
STA-01 rejected-padded | ends Rejected with a space
STA-01 hard-space | spells Temporarily Unavailable with a no-break space
STA-01 small-number | spells Invalid Number as Invalid number
STA-01 failed | says Failed for Error
STA-02,STA-03 rejected-rings-on | never ends a call that is rejected
STA-02 pending-cached | reports a call that was polled while pending as pending for ever
STA-02 third-is-lost | never ends a call to a line that two others are ringing
STA-02,STA-03 unpaired | never ends a call without a ResultDestination
STA-03 voicemail | reports No Answer as Answered
STA-03 unreachable-is-error | reports Temporarily Unavailable as Error
STA-03 neighbour-line | takes the state of the line that follows in order, for the last but one line
STA-03 engaged-by-own-call | ends a call as Busy when another one rings on its line
STA-04 vanishes | forgets a call 1.5 s after it is final
STA-04 read-once | reports a final state once and never again
STA-04 busy-drifts | turns Busy to No Answer a second after it is final
STA-04 flaps | reports an empty state at every third reading of a final call
STA-04,STA-02 forgotten-when-sent | forgets a call as soon as its result is delivered
STA-04 redials | reports a call that ended as No Answer as pending again a second later
STA-05,STA-04 error-at-first | reports Error in the first half of the ringing
STA-05,STA-04 answered-flash | reports Answered in the second half of the ringing
STA-05,STA-04 no-answer-meanwhile | reports No Answer while a call rings
STA-05,STA-01 ringing-word | says Ringing of a call in progress
DST-01 immediate-never | does not send results that are wanted immediately
DST-01 immediate-without-id | leaves the UniqueId out of results that are wanted immediately
DST-01 sent-in-small-letters | sends the UniqueId in small letters
DST-01,DST-04 crowded-out | sends one immediate result in 250 ms and drops the others
DST-02 queued-never | does not send queued results
DST-02 absent-never | does not send a result when SendResultImmediately is left out
DST-02 queued-without-id | leaves the UniqueId out of queued results
DST-03 sent-at-trigger | sends the UniqueId also at once when the trigger is accepted
DST-03 sent-while-ringing | sends the UniqueId also while the first quarter of the ringing ends
DST-04 answered-only | sends results of answered calls alone
DST-04 no-answer-unsent | does not send the results No Answer and Temporarily Unavailable
DST-04 busy-immediate-unsent | does not send Busy when it is wanted immediately
DST-05 sends-answered | sends the state Answered whatever it was
DST-05 sends-joined | sends states without the space that they have in polls
DST-05 sends-line-before | sends the state of the call that was placed before
DST-06 sends-token | sends the access token in the body
DST-06 sends-token-in-url | sends the access token in the query
DST-06 sends-token-in-header | sends the access token as a bearer token
DST-06 sends-previous | names the call that was placed before in what it sends
DST-06 sends-all-ringing | names all calls of the last second in what it sends
DST-07 destination-probed | refuses a trigger whose ResultDestination can't be reached
DST-07 destination-awaited | answers a trigger only when its ResultDestination has answered a probe
DST-07,STA-04 unsent-is-error | turns a call's state to Error when its result could not be delivered
DST-07,ROB-02 sent-under-lock | holds up all triggers and polls while a destination answers slowly
DST-08 sent-once | does not send again when a delivery is answered 503
ROB-01 nul-500 | answers 500 to a text with NUL
ROB-01 surrogate-500 | answers 500 to a lone surrogate
ROB-01 deep-500 | answers 500 to deep nesting
ROB-01 huge-number-500 | answers 500 to a whole number beyond 64 bits
ROB-01 long-value-500 | answers 500 to a value above 32 KiB
ROB-01 mebibyte-500 | answers 500 to a body of 1 MiB
ROB-01 many-ids-500 | answers 500 to a poll with more than forty ids
ROB-01 names-twice-500 | answers 500 to a body that gives a name twice
ROB-01,REQ-14 encoding-500 | answers 500 to a body that is not UTF-8
ROB-01,RES-08 unhashable-500 | answers 500 to a list or an object among UniqueIds
ROB-01,REQ-13 attribute-500 | answers 500 to an EndUser that is an array
ROB-01,REQ-14 array-500 | answers 500 to a trigger that is a JSON array
ROB-01,RES-08 text-poll-500 | answers 500 to a poll that is a JSON string or number
ROB-02,REQ-14 drops-bad-json | closes the connection without an answer when the body is not JSON
ROB-02,REQ-14 awaits-the-rest | never answers a body that is cut off
ROB-02,RES-08 awaits-a-body | never answers a POST without a body
ROB-02,ROB-01 drops-large-body | closes the connection without an answer when a body is above 512 KiB
ROB-02,ROB-01 drops-nul | closes the connection without an answer when a text holds NUL
ROB-03 crowd-403 | refuses with 403 what comes while six others are at work
ROB-03,ROB-01 crowd-503 | answers 503 to what comes while six others are at work
ROB-03,ROB-02 crowd-dropped | closes the connection on what comes while six others are at work
ROB-03,RES-05 crossed-polls | answers polls that come at once with the results of the last of them
ROB-04 wrong-token-quoted | quotes the wrong token in its refusal
ROB-04 bad-json-quoted | quotes the body in the refusal of bad JSON
ROB-04 request-quoted | quotes the request in the refusal of a trigger that lacks a parameter
ROB-04 token-in-answer | repeats the request, token included, in an extra member of a trigger's answer
ROB-04 token-in-header | repeats the token in a header of a trigger's answer
ROB-04 token-in-poll | shows the token of the call among the extra members of a poll's answer
ROB-05 traceback | shows a stack trace in refusals
ROB-05 sql-shown | shows the SQL that failed in refusals of polls
"""


@dataclass(frozen=True)
class Fault:
    """What the deployment does wrong, and the clauses that it breaks, the main one first."""

    name: str
    clauses: tuple[str, ...]
    summary: str


def _read(line: str) -> Fault:
    head, text = line.split(" | ")
    clauses, name = head.split()
    return Fault(name, tuple(clauses.split(",")), f"It {text}.")


FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in map(_read, TABLE.strip().splitlines())}
