// Faults with odd input, with many requests at once, and in what refusals disclose: ROB.

import { natural } from './natural.mjs';
import { DROP, HANG } from './outcomes.mjs';
import { isObject } from './refusal.mjs';

const CRASH = {
  status: 500,
  headers: { 'content-type': 'application/problem+json' },
  body: '{"title":"Internal Server Error","status":500}',
};

/** Gives the answer to POST requests for which the test holds. */
const when = (test, answer) => ({
  intercept: (exchange) =>
    exchange.method === 'POST' && exchange.kind && test(exchange) ? answer : undefined,
});

/** Gives the answer to requests that arrive while eight others are in flight. */
const inACrowd = (kinds, answer) => ({
  dwell: 120,
  ...when(({ place, kind }) => place > 8 && kinds.includes(kind), answer),
});

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function depthOf(text) {
  let depth = 0;
  let deepest = 0;
  for (const sign of text) {
    if (sign === '[' || sign === '{') depth += 1;
    else if (sign === ']' || sign === '}') depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

function isUtf8(raw) {
  return Buffer.from(raw.toString('utf8')).equals(raw);
}

const repeatsName = (text) =>
  ['Project', 'Tenant', 'ConversationId', 'AccessToken', 'Locale', 'UniqueIds'].some(
    (name) => text.split(new RegExp(`"${name}"\\s*:`)).length > 2,
  );

/** Adds `leak(refusal)` to the refusals of the endpoints. */
const leaking = (leak) => ({
  refusal: (refusal, exchange, deployment) => {
    const answer = natural.refusal(refusal, exchange, deployment);
    return { ...answer, value: { ...answer.value, ...leak(refusal, exchange) } };
  },
});

const crashes = {
  'nul-500': {
    clauses: ['ROB-01'],
    summary: 'answers 500 to a NUL character, which its database does not take',
    ...when(({ text }) => /\0|\\u0000/.test(text), CRASH),
  },
  'lone-surrogate-500': {
    clauses: ['ROB-01'],
    summary: 'answers 500 to half of a surrogate pair',
    ...when(({ text }) => /\\ud[89a-f]/i.test(JSON.stringify(parsed(text)) ?? ''), CRASH),
  },
  'deep-nesting-500': {
    clauses: ['ROB-01'],
    summary: 'answers 500 to JSON that is nested more than 60 deep',
    ...when(({ text }) => depthOf(text) > 60, CRASH),
  },
  'long-value-500': {
    clauses: ['ROB-01'],
    summary: 'answers 500 to values of 64 KiB, which its column does not hold',
    ...when(({ text }) => /"[^"]{65500,}"/.test(text) && text.length < natural.bodyLimit, CRASH),
  },
  'mebibyte-500': {
    clauses: ['ROB-01'],
    summary: 'answers 500 to bodies of more than 512 KiB',
    ...when(({ raw }) => raw.length > natural.bodyLimit, CRASH),
  },
  'many-ids-500': {
    clauses: ['ROB-01'],
    summary: 'answers 500 to a poll for more than 200 ids',
    ...when(({ kind, text }) => kind === 'poll' && parsed(text)?.UniqueIds?.length > 200, CRASH),
  },
  'name-twice-500': {
    clauses: ['ROB-01'],
    summary: 'answers 500 to an object that names a member twice',
    ...when(({ text }) => repeatsName(text), CRASH),
  },
  'bad-utf8-500': {
    clauses: ['ROB-01'],
    summary: 'answers 500 to a body that is not UTF-8',
    ...when(({ raw }) => !isUtf8(raw), CRASH),
  },
  'bad-json-in-poll-500': {
    clauses: ['ROB-01', 'RES-08'],
    summary: 'answers 500 to a poll that is not JSON',
    ...when(
      ({ kind, raw, text }) => kind === 'poll' && raw.length > 0 && parsed(text) === undefined,
      CRASH,
    ),
  },
  'null-body-500': {
    clauses: ['ROB-01', 'REQ-14', 'REQ-16', 'RES-08'],
    summary: 'answers 500 to a body that is null',
    ...when(({ text }) => text.trim() === 'null', CRASH),
  },
  'object-in-ids-500': {
    clauses: ['ROB-01', 'RES-08'],
    summary: 'answers 500 to an object among the ids of a poll',
    ...when(({ kind, text }) => {
      const ids = parsed(text)?.UniqueIds;
      return kind === 'poll' && Array.isArray(ids) && ids.some(isObject);
    }, CRASH),
  },
};

const silences = {
  'cut-off-json-hangs': {
    clauses: ['ROB-02'],
    summary: 'waits for the rest of JSON that is cut off, and never answers',
    ...when(({ text }) => text.startsWith('{') && !text.trimEnd().endsWith('}'), HANG),
  },
  'empty-poll-hangs': {
    clauses: ['ROB-02'],
    summary: 'waits for the body of a poll that has none, and never answers',
    ...when(({ kind, raw }) => kind === 'poll' && raw.length === 0, HANG),
  },
  'long-body-dropped': {
    clauses: ['ROB-02'],
    summary: 'closes the connection on bodies of more than 512 KiB without an answer',
    ...when(({ raw }) => raw.length > natural.bodyLimit, DROP),
  },
  'deep-nesting-dropped': {
    clauses: ['ROB-02'],
    summary: 'closes the connection without an answer on JSON that is nested more than 60 deep',
    ...when(({ text }) => depthOf(text) > 60, DROP),
  },
  'crowd-dropped': {
    clauses: ['ROB-02', 'ROB-03'],
    summary: 'closes connections without an answer while eight requests are in flight',
    ...inACrowd(['trigger', 'poll'], DROP),
  },
};

const pressure = {
  'crowd-503': {
    clauses: ['ROB-03', 'ROB-01'],
    summary: 'answers 503 while eight requests are in flight',
    ...inACrowd(['trigger', 'poll'], { status: 503, headers: { 'retry-after': '1' }, body: '' }),
  },
  'crowd-unauthorised': {
    clauses: ['ROB-03'],
    summary:
      'answers 401 to triggers while eight are in flight, as its credentials store is out of connections',
    ...inACrowd(['trigger'], { status: 401, body: '' }),
  },
  'crowd-polls-empty': {
    clauses: ['ROB-03', 'RES-04'],
    summary: 'answers polls with no results while eight requests are in flight',
    ...inACrowd(['poll'], { status: 200, value: { CallResults: [] } }),
  },
};

const leaks = {
  'wrong-token-repeated': {
    clauses: ['ROB-04'],
    summary: 'repeats a wrong AccessToken in its refusal',
    ...leaking(({ status }, { text }) =>
      status === 401
        ? { detail: `the access token ${parsed(text)?.AccessToken} is not valid` }
        : {},
    ),
  },
  'body-in-parse-error': {
    clauses: ['ROB-04'],
    summary: 'shows the beginning of a body that is not JSON, its AccessToken included',
    ...leaking((refusal, { text }) =>
      parsed(text) === undefined ? { detail: `unexpected token in ${text.slice(0, 4000)}` } : {},
    ),
  },
  'received-in-validation-error': {
    clauses: ['ROB-04'],
    summary: 'shows what it received in the refusal of a trigger that is not valid',
    ...leaking(({ status }, { text }) => (status === 422 ? { received: parsed(text) } : {})),
  },
  'token-in-ack-header': {
    clauses: ['ROB-04'],
    summary: 'repeats the AccessToken in a header of the answer to an accepted trigger',
    finish: (answer) =>
      answer.call
        ? {
            ...answer,
            headers: {
              ...answer.headers,
              'x-session': encodeURIComponent(answer.call.body.AccessToken),
            },
          }
        : answer,
  },

  'stack-in-refusals': {
    clauses: ['ROB-05'],
    summary: 'shows a stack trace in refusals',
    ...leaking(({ stack }) => ({ trace: stack })),
  },
  'sql-in-poll-refusals': {
    clauses: ['ROB-05'],
    summary: 'shows the SQL statement when it knows none of the calls of a poll',
    ...leaking(({ status }, { kind }) =>
      status === 404 && kind === 'poll'
        ? { detail: 'no rows for SELECT id, state FROM call_results WHERE id = ANY($1)' }
        : {},
    ),
  },
};

export const ROBUSTNESS_FAULTS = { ...crashes, ...silences, ...pressure, ...leaks };
