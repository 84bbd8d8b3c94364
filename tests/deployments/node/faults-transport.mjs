// Faults in methods, content types and JSON texts: TRN.

import { natural } from './natural.mjs';
import { trigger } from './trigger.mjs';

const JSON_TYPE = { 'content-type': 'application/json' };

/** Changes the rendered answers of one endpoint. */
const finishing = (kind, change) => ({
  finish: (answer, exchange) =>
    exchange.kind === kind && answer.status === 200 ? { ...answer, ...change(answer) } : answer,
});

const typed = (kind, type) =>
  finishing(kind, ({ headers }) => ({ headers: { ...headers, 'content-type': type } }));

const rewritten = (kind, rewrite) =>
  finishing(kind, ({ body, value }) => ({ body: rewrite(body, value) }));

export const TRANSPORT_FAULTS = {
  'put-served': {
    clauses: ['TRN-03'],
    summary: 'serves PUT as if it were POST',
    methodStatus: ({ method }) => (['POST', 'PUT'].includes(method) ? undefined : 405),
  },
  'get-with-body-dials': {
    clauses: ['TRN-03'],
    summary: 'takes a GET with a body for a trigger and dials',
    methodStatus: ({ method, kind }) =>
      method === 'POST' || (method === 'GET' && kind === 'trigger') ? undefined : 405,
  },
  'head-200': {
    clauses: ['TRN-03'],
    summary: 'answers HEAD with 200 on the poll path, as a health check would like it',
    intercept: ({ method, kind }) =>
      method === 'HEAD' && kind === 'poll'
        ? { status: 200, headers: JSON_TYPE, body: '' }
        : undefined,
  },
  'get-redirects': {
    clauses: ['TRN-03'],
    summary: 'redirects a GET of either endpoint to its documentation',
    intercept: ({ method, kind }) =>
      method === 'GET' && kind
        ? { status: 302, headers: { location: '/docs' }, body: '' }
        : undefined,
  },
  'refused-put-dials': {
    clauses: ['TRN-03'],
    summary: 'answers PUT with 405 but has placed the call by then',
    intercept: async (exchange, deployment) => {
      if (exchange.method === 'PUT' && exchange.kind === 'trigger') {
        await trigger(exchange, deployment).catch(() => undefined);
      }
      return undefined;
    },
  },

  'poll-as-text': {
    clauses: ['TRN-04'],
    summary: 'labels the answers to polls text/plain',
    ...typed('poll', 'text/plain; charset=utf-8'),
  },
  'empty-results-untyped': {
    clauses: ['TRN-04'],
    summary: 'sends no content type when there are no results to report',
    finish: (answer) =>
      answer.value?.CallResults?.length === 0
        ? { ...answer, headers: { ...answer.headers, 'content-type': undefined } }
        : answer,
  },
  'vendor-type': {
    clauses: ['TRN-04'],
    summary: 'labels the answers to triggers with a media type of the vendor',
    ...typed('trigger', 'application/vnd.calls.v2+json'),
  },

  'bom-on-poll': {
    clauses: ['TRN-05'],
    summary: 'puts a byte-order mark before the results',
    ...rewritten('poll', (body) => `\ufeff${body}`),
  },
  'guard-prefix': {
    clauses: ['TRN-05'],
    summary: 'puts a guard against script inclusion before the results',
    ...rewritten('poll', (body) => `)]}',\n${body}`),
  },
  'comment-after-ack': {
    clauses: ['TRN-05'],
    summary: 'appends an HTML comment of the proxy to the answers to triggers',
    ...rewritten('trigger', (body) => `${body}\n<!-- served by edge-3 -->`),
  },
  'nul-after-ack': {
    clauses: ['TRN-05'],
    summary: 'ends the answers to triggers with a NUL byte',
    ...rewritten('trigger', (body) => `${body}\0`),
  },
  'latin1-member': {
    clauses: ['TRN-05'],
    summary: 'writes a further member of the trigger answer in Latin-1 instead of UTF-8',
    ...rewritten('trigger', (body) =>
      Buffer.from(body.replace('{', '{"Région":"Zürich",'), 'latin1'),
    ),
  },
  'nan-member': {
    clauses: ['TRN-05'],
    summary: 'reports a duration of NaN in its results, which is not JSON',
    ...rewritten('poll', (body) =>
      body.replaceAll('"CallRequestId"', '"Duration":NaN,"CallRequestId"'),
    ),
  },
  'utf16-poll': {
    clauses: ['TRN-05'],
    summary: 'encodes the results in UTF-16 without a mark',
    ...rewritten('poll', (body) => Buffer.from(body, 'utf16le')),
  },
  'two-texts-for-many': {
    clauses: ['TRN-05', 'RES-04'],
    summary: 'answers a poll with more than 8 results by two JSON texts, one a line',
    ...rewritten('poll', (body, { CallResults: entries }) =>
      entries.length <= 8
        ? body
        : [entries.slice(0, 8), entries.slice(8)]
            .map((part) => JSON.stringify({ CallResults: part }))
            .join('\n'),
    ),
  },

  'ack-names-id-twice': {
    clauses: ['TRN-06'],
    summary: 'names UniqueId twice in the answer to a trigger',
    ...rewritten(
      'trigger',
      (body, { UniqueId }) => `{"UniqueId":"${UniqueId}","UniqueId":"${UniqueId}"}`,
    ),
  },
  'batch-names-state-twice': {
    clauses: ['TRN-06'],
    summary: 'names CallState twice in each entry when there are several',
    ...rewritten('poll', (body, { CallResults: entries }) =>
      entries.length < 2
        ? body
        : body.replaceAll('"CallRequestId"', '"CallState":"","CallRequestId"'),
    ),
  },
  'nested-duplicate': {
    clauses: ['TRN-06'],
    summary: 'names a member twice in an object deep within the trigger answer',
    ...rewritten('trigger', (body) =>
      body.replace(/\}$/, ',"Meta":{"Routes":[{"Region":"eu","Region":"eu-1"}]}}'),
    ),
  },
  'escaped-duplicate': {
    clauses: ['TRN-06'],
    summary: 'names CallRequestId a second time in each entry, written with an escape',
    ...rewritten('poll', (body) =>
      body.replaceAll('"CallState"', '"CallRequest\\u0049d":"","CallState"'),
    ),
  },

  'types-without-slash': {
    clauses: ['TRN-04'],
    summary: 'labels the answers to polls "json", which is no media type',
    ...typed('poll', 'json'),
  },
  'patch-500': {
    clauses: ['TRN-03', 'ROB-01'],
    summary: 'answers PATCH with 500, as no handler is found for it',
    methodStatus: (exchange) =>
      exchange.method === 'PATCH' ? 500 : natural.methodStatus(exchange),
  },
};
