// Faults in the checks of triggers: REQ-01 to REQ-14. Some refuse valid triggers (an objection), others
// accept invalid ones (by changing the body first).

import { Refusal, isObject } from './refusal.mjs';

const TEXTS = [
  'Project',
  'Tenant',
  'ConversationId',
  'AccessToken',
  'ScenarioPath',
  'OrchestratorUrl',
];

/** Refuses with 422 when the test holds for the trigger's body. */
const objecting = (test, detail) => ({
  objection: ({ body }, exchange) => (test(body, exchange) ? detail : undefined),
});

/** Merges changes into the trigger's body before it is checked. */
const amending = (change) => ({
  amend: (body, deployment) => (isObject(body) ? { ...body, ...change(body, deployment) } : body),
});

/** Replaces a member by `change(member)`, where the test holds. */
const changing = (name, test, change) =>
  amending((body, deployment) =>
    test(body[name]) ? { [name]: change(body[name], deployment) } : {},
  );

/** Replaces entries of ScenarioInputParameters. */
const changingParameters = (change) =>
  changing('ScenarioInputParameters', Array.isArray, (list, deployment) =>
    list.map((entry) => (isObject(entry) ? change(entry, deployment) : entry)),
  );

const absent = (value) => value === undefined;
const values = (body) => body.ScenarioInputParameters.map(({ Value }) => Value);
const variables = (body) =>
  body.ScenarioInputParameters.filter(({ Name }) => !Name.startsWith('_'));
const positionOf = (body, name) =>
  body.ScenarioInputParameters.findIndex(({ Name }) => Name === name);
const lastNumber = ({ book }) => book.last?.number ?? '';

/** Reads JSON that was cut off by closing what is open. */
function parseLeniently(text) {
  for (const ending of ['', '"', '}', '"}', ']}', '}]}', '"}]}', 'null}', ':null}', '":null}']) {
    try {
      return JSON.parse(text.replace(/,\s*$/, '') + ending);
    } catch {
      // The next ending may fit.
    }
  }
  return JSON.parse(text);
}

const tooStrict = {
  'empty-project-header-refused': {
    clauses: ['REQ-01'],
    summary: 'refuses a trigger whose header Project is empty',
    ...objecting((body, { headers }) => headers.project === '', 'the header Project is empty'),
  },
  'short-locale': {
    clauses: ['REQ-01'],
    summary: 'refuses a Locale that is longer than two letters',
    ...objecting(({ Locale }) => Locale?.length > 2, 'Locale must be two letters'),
  },
  'bare-trigger-refused': {
    clauses: ['REQ-02'],
    summary: 'refuses a trigger that carries none of the optional parameters',
    ...objecting(
      (body) =>
        [body.EndUser, body.Locale, body.ResultDestination, body.SendResultImmediately].every(
          absent,
        ),
      'too little is known of the call',
    ),
  },
  'end-user-required': {
    clauses: ['REQ-03', 'REQ-02'],
    summary: 'refuses a trigger without EndUser',
    ...objecting(({ EndUser }) => absent(EndUser), 'EndUser is missing'),
  },
  'flag-needs-destination': {
    clauses: ['REQ-03'],
    summary: 'refuses SendResultImmediately without a ResultDestination',
    ...objecting(
      (body) => !absent(body.SendResultImmediately) && absent(body.ResultDestination),
      'ResultDestination is missing',
    ),
  },
  'destination-needs-flag': {
    clauses: ['REQ-03'],
    summary: 'refuses a ResultDestination without SendResultImmediately',
    ...objecting(
      (body) => absent(body.SendResultImmediately) && !absent(body.ResultDestination),
      'SendResultImmediately is missing',
    ),
  },
  'end-user-needs-locale': {
    clauses: ['REQ-03'],
    summary: 'refuses an EndUser without a Locale to greet them in',
    ...objecting((body) => absent(body.Locale) && !absent(body.EndUser), 'Locale is missing'),
  },
  'variable-required': {
    clauses: ['REQ-04', 'REQ-02'],
    summary: 'refuses a trigger without any project variable',
    ...objecting((body) => variables(body).length === 0, 'the scenario needs variables'),
  },
  'twenty-parameters': {
    clauses: ['REQ-04'],
    summary: 'refuses more than 20 parameters, the two required ones included',
    ...objecting((body) => body.ScenarioInputParameters.length > 20, 'too many parameters'),
  },
  'destination-before-variables': {
    clauses: ['REQ-05'],
    summary: 'does not find _Destination behind the first project variable',
    ...objecting((body) => {
      const first = body.ScenarioInputParameters.findIndex(({ Name }) => !Name.startsWith('_'));
      return first !== -1 && first < positionOf(body, '_Destination');
    }, '_Destination is missing'),
  },
  'display-number-first': {
    clauses: ['REQ-05'],
    summary: 'refuses a trigger whose _Destination comes before its _DisplayNumber',
    ...objecting(
      (body) => positionOf(body, '_Destination') < positionOf(body, '_DisplayNumber'),
      '_DisplayNumber is missing',
    ),
  },
  'project-header-required': {
    clauses: ['REQ-06'],
    summary: 'refuses a trigger without the header Project',
    ...objecting((body, { headers }) => absent(headers.project), 'the header Project is missing'),
  },
  'project-header-must-be-empty': {
    clauses: ['REQ-06'],
    summary: 'refuses a trigger whose header Project names the project',
    ...objecting((body, { headers }) => Boolean(headers.project), 'the header Project is reserved'),
  },
  'email-needs-name': {
    clauses: ['REQ-07'],
    summary: 'refuses an EndUser that has an Email but no Name',
    ...objecting(({ EndUser }) => EndUser?.Email && !EndUser.Name, 'EndUser.Name is missing'),
  },
  'empty-end-user-refused': {
    clauses: ['REQ-07'],
    summary: 'refuses an EndUser without members',
    ...objecting(({ EndUser }) => EndUser && Object.keys(EndUser).length === 0, 'EndUser is empty'),
  },
  'ascii-names': {
    clauses: ['REQ-08'],
    summary: 'refuses an EndUser whose name is not ASCII',
    ...objecting(
      ({ EndUser }) => /[^ -~]/.test(EndUser?.Name ?? ''),
      'EndUser.Name has odd characters',
    ),
  },
  'no-astral-values': {
    clauses: ['REQ-08'],
    summary: 'refuses variables that hold characters beyond the basic plane, such as emoji',
    ...objecting(
      (body) => /\p{Surrogate}|[\u{10000}-\u{10ffff}]/u.test(values(body).join('')),
      'odd characters',
    ),
  },
  'empty-value-refused': {
    clauses: ['REQ-08'],
    summary: 'refuses a variable with an empty value',
    ...objecting((body) => variables(body).some(({ Value }) => Value === ''), 'a Value is empty'),
  },
  'firewall': {
    clauses: ['REQ-08'],
    summary: 'has a firewall that refuses values with angle brackets with 403',
    objection: ({ body }) => {
      if (values(body).some((value) => /[<>]/.test(value)))
        throw new Refusal(403, 'the request was blocked');
    },
  },
  'line-breaks-refused': {
    clauses: ['REQ-08'],
    summary: 'refuses variables that hold line breaks',
    ...objecting(
      (body) => values(body).some((value) => /[\r\n]/.test(value)),
      'a Value has line breaks',
    ),
  },
  'false-is-missing': {
    clauses: ['REQ-09'],
    summary: 'takes SendResultImmediately false for an empty value and refuses it',
    ...objecting((body) => body.SendResultImmediately === false, 'SendResultImmediately is empty'),
  },
  'true-needs-plan': {
    clauses: ['REQ-09'],
    summary: 'refuses SendResultImmediately true with 403, as the plan does not include it',
    objection: ({ immediate }) => {
      if (immediate) throw new Refusal(403, 'immediate results are not in your plan');
    },
  },
};

const tooLax = {
  'tenant-defaulted': {
    clauses: ['REQ-10'],
    summary: 'accepts a trigger without Tenant and takes the default one',
    ...changing('Tenant', absent, (_, { settings }) => settings.tenant),
  },
  'project-defaulted': {
    clauses: ['REQ-10'],
    summary: 'accepts a trigger without Project, as there is but one',
    ...changing('Project', absent, (_, { settings }) => settings.project),
  },
  'conversation-made-up': {
    clauses: ['REQ-10'],
    summary: 'accepts a trigger without ConversationId and makes one up',
    ...changing('ConversationId', absent, () => `conv-${Date.now()}`),
  },
  'orchestrator-optional': {
    clauses: ['REQ-10'],
    summary: 'accepts a trigger without OrchestratorUrl',
    ...changing('OrchestratorUrl', absent, () => 'internal'),
  },
  'token-absent-accepted': {
    clauses: ['REQ-10'],
    summary: 'checks the AccessToken only when there is one',
    ...changing('AccessToken', absent, (_, { settings }) => settings.access_token),
  },
  'parameters-remembered': {
    clauses: ['REQ-10'],
    summary: 'repeats the parameters of the latest call when a trigger has none',
    ...changing(
      'ScenarioInputParameters',
      absent,
      (_, { book }) => book.last?.body.ScenarioInputParameters,
    ),
  },
  'display-number-optional': {
    clauses: ['REQ-11'],
    summary: 'accepts a trigger without _DisplayNumber',
    ...changing('ScenarioInputParameters', Array.isArray, (list) => [
      { Name: '_DisplayNumber', Value: 'anonymous' },
      ...list,
    ]),
  },
  'destination-remembered': {
    clauses: ['REQ-11'],
    summary: 'dials the latest number again when a trigger has no _Destination',
    ...changing('ScenarioInputParameters', Array.isArray, (list, deployment) => [
      { Name: '_Destination', Value: lastNumber(deployment) },
      ...list,
    ]),
  },
  'null-scenario-path': {
    clauses: ['REQ-12'],
    summary: 'accepts null for ScenarioPath',
    ...changing(
      'ScenarioPath',
      (value) => value === null,
      () => '/default',
    ),
  },
  'empty-orchestrator': {
    clauses: ['REQ-12'],
    summary: 'accepts an empty OrchestratorUrl',
    ...changing(
      'OrchestratorUrl',
      (value) => value === '',
      () => 'internal',
    ),
  },
  'null-token': {
    clauses: ['REQ-12'],
    summary: 'accepts null for AccessToken, which its credentials check skips',
    ...changing(
      'AccessToken',
      (value) => value === null,
      (_, { settings }) => settings.access_token,
    ),
  },
  'empty-destination-dials-latest': {
    clauses: ['REQ-12'],
    summary: 'dials the latest number again when _Destination is empty',
    ...changingParameters((entry, deployment) =>
      entry.Name === '_Destination' && entry.Value === ''
        ? { ...entry, Value: lastNumber(deployment) }
        : entry,
    ),
  },
  'number-as-conversation': {
    clauses: ['REQ-13'],
    summary: 'accepts a number for ConversationId',
    ...changing('ConversationId', (value) => typeof value === 'number', String),
  },
  'loose-equality': {
    clauses: ['REQ-13'],
    summary: 'compares loosely, so that a list of one string passes for the string',
    ...amending((body) =>
      Object.fromEntries(
        TEXTS.filter((name) => Array.isArray(body[name]) && body[name].length === 1).map((name) => [
          name,
          body[name][0],
        ]),
      ),
    ),
  },
  'flag-as-text': {
    clauses: ['REQ-13'],
    summary: 'accepts "true" and "false" for SendResultImmediately',
    ...changing(
      'SendResultImmediately',
      (value) => ['true', 'false'].includes(value),
      (value) => value === 'true',
    ),
  },
  'flag-as-number': {
    clauses: ['REQ-13'],
    summary: 'accepts 0 and 1 for SendResultImmediately',
    ...changing('SendResultImmediately', (value) => value === 0 || value === 1, Boolean),
  },
  'end-user-as-text': {
    clauses: ['REQ-13'],
    summary: 'accepts a string for EndUser',
    ...changing(
      'EndUser',
      (value) => typeof value === 'string',
      (Name) => ({ Name }),
    ),
  },
  'phone-as-number': {
    clauses: ['REQ-13'],
    summary: 'accepts a number for EndUser.Phone',
    ...changing('EndUser', isObject, (user) =>
      typeof user.Phone === 'number' ? { ...user, Phone: String(user.Phone) } : user,
    ),
  },
  'parameters-as-map': {
    clauses: ['REQ-13'],
    summary: 'accepts an object of names and values for ScenarioInputParameters',
    ...changing('ScenarioInputParameters', isObject, (map) =>
      Object.entries(map).map(([Name, Value]) => ({ Name, Value })),
    ),
  },
  'variable-as-number': {
    clauses: ['REQ-13'],
    summary: 'accepts numbers for the values of project variables',
    ...changingParameters((entry) =>
      typeof entry.Value === 'number' && !String(entry.Name).startsWith('_')
        ? { ...entry, Value: String(entry.Value) }
        : entry,
    ),
  },
  'locale-of-any-type': {
    clauses: ['REQ-13'],
    summary: 'accepts any type for Locale',
    ...changing('Locale', (value) => value !== null && !absent(value), String),
  },
  'entry-in-list-accepted': {
    clauses: ['REQ-14'],
    summary: 'accepts a list that holds one trigger',
    amend: (body) => (Array.isArray(body) && body.length === 1 ? body[0] : body),
  },
  'json-in-string-accepted': {
    clauses: ['REQ-14'],
    summary: 'accepts a JSON string that holds the JSON of a trigger',
    parse: (text) => {
      const value = JSON.parse(text);
      return typeof value === 'string' ? JSON.parse(value) : value;
    },
  },
  'cut-off-repaired': {
    clauses: ['REQ-14'],
    summary: 'accepts a trigger whose JSON is cut off, by closing what is open',
    parse: parseLeniently,
  },
};

export const REQUEST_FAULTS = { ...tooStrict, ...tooLax };
