// Other conforming ways to serve the API. Each differs from natural.mjs in one or two points.

import { createHash, createHmac, randomBytes, randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import { send } from './courier.mjs';
import { natural, withQuery } from './natural.mjs';
import { Refusal } from './refusal.mjs';

const KNOWN_PARAMETERS = new Set([
  'Project',
  'Tenant',
  'ConversationId',
  'AccessToken',
  'ScenarioPath',
  'OrchestratorUrl',
  'EndUser',
  'Locale',
  'ScenarioInputParameters',
  'ResultDestination',
  'SendResultImmediately',
]);

function shuffled(list) {
  const rest = [...list];
  return list.map(() => rest.splice(randomInt(rest.length), 1)[0]);
}

/** Reads the JSON object at the beginning of a text, and ignores the rest. */
function parseBeginning(text) {
  for (let end = text.length; end > 0; end = text.lastIndexOf('}', end - 1)) {
    try {
      return JSON.parse(text.slice(0, end + 1));
    } catch {
      // An earlier brace may be the one that closes the object.
    }
  }
  return JSON.parse(text);
}

const requestIdOf = (id) => createHash('sha256').update(id).digest('hex').slice(0, 12);

const titleCase = (name) => name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());

/** Accepts `most` requests in each window, and answers the rest 429. */
function throttle(most, windowMs, retryAfter) {
  return (exchange, { memory }) => {
    const window = Math.floor(Date.now() / windowMs);
    if (memory.window !== window) Object.assign(memory, { window, admitted: 0 });
    memory.admitted += 1;
    if (memory.admitted <= most) return undefined;
    const wait = retryAfter();
    return {
      status: 429,
      headers: { 'content-type': 'text/plain', ...(wait !== undefined && { 'retry-after': wait }) },
      body: 'Too many requests, come back later.\n',
    };
  };
}

const onlyKnownParameters = ({ body }, { headers }) => {
  if (!/^application\/json\b/i.test(headers['content-type'] ?? '')) {
    throw new Refusal(415, 'the body must be application/json');
  }
  const undocumented = Object.keys(body).some((name) => !KNOWN_PARAMETERS.has(name));
  return undocumented ? 'there is a parameter that is not documented' : undefined;
};

const nameSorted = (value) =>
  Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));

const asciiOnly = (text) =>
  text.replace(/[^\n -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

function escapedAndIndented(value) {
  const sorted = value.CallResults ? { CallResults: value.CallResults.map(nameSorted) } : value;
  return `${asciiOnly(JSON.stringify(sorted, null, 4)).replaceAll('Invalid Number', 'Invalid\\u0020Number')}\n`;
}

const markup = (text) => text.replace(/[<&]/g, (sign) => `&#${sign.charCodeAt(0)};`);

export const DIALECTS = {
  'natural': {
    summary: 'random base64url ids, chunked answers, problem+json refusals, GET deliveries',
  },

  'bare-400': {
    summary:
      'every refusal is an empty 400 without a content type, whatever the cause or the method',
    refusal: () => ({ status: 400, body: '' }),
    chunked: false,
  },

  'proxy-pages': {
    summary:
      'refusals are HTML pages of a proxy; connections close after each answer; cookies are set',
    closes: true,
    chunked: false,
    headerName: titleCase,
    headers: () => ({
      'server': 'nginx',
      'via': '1.1 edge',
      'set-cookie': 'lb=node-3; Path=/; HttpOnly',
    }),
    refusal: ({ status }) => ({
      status: status === 422 ? 400 : status,
      headers: { 'content-type': 'text/html' },
      body: `<html><head><title>${status}</title></head><body><center>nginx</center></body></html>\r\n`,
    }),
  },

  'ids-compared-by-the-database': {
    summary: 'ids are compared without regard to case and blanks around them, and reported as asked for',
    select: (ids, { book }) =>
      [...new Set(ids)].map((id) => ({
        id,
        call:
          book.find(id) ??
          book.all.find((call) => call.id.toLowerCase() === id.trim().toLowerCase()),
      })),
  },

  'ignores-the-rest': {
    summary: 'what stands behind the JSON object of a trigger or a poll is ignored',
    parse: parseBeginning,
  },

  'hidden-404': {
    summary: 'unknown paths and methods are answered 404 with a JSON error that holds null members',
    refusal: ({ message }) => ({
      status: 404,
      value: { error: { code: 'NOT_FOUND', message, target: null, details: [] }, data: null },
    }),
    phrase: (status) => (status === 200 ? 'Fine' : 'Nope'),
  },

  'credentials-first': {
    summary:
      'credentials are judged before all else, so that a broken trigger without them gets a bare 401',
    credentialsFirst: true,
    refusal: (refusal, exchange) =>
      refusal.status === 401
        ? { status: 401, headers: { 'www-authenticate': 'Bearer realm="calls"' }, body: '' }
        : natural.refusal(refusal, exchange),
  },

  preflight: {
    summary: 'answers every OPTIONS with 204, as its CORS layer comes before the routes',
    intercept: ({ method }) => (method === 'OPTIONS' ? { status: 204, body: '' } : undefined),
  },

  'methods-varied': {
    summary: 'other methods are refused each with a status of its own, 400 to 501',
    methodStatus: ({ method }) =>
      ({ POST: undefined, GET: 404, HEAD: 403, OPTIONS: 501, PUT: 400, DELETE: 410 })[method] ??
      (method === 'POST' ? undefined : 451),
  },

  'pending-entries': {
    summary:
      'pending and unknown ids are entries with an empty state; ids asked for twice are reported twice',
    select: (ids, { book }) => ids.map((id) => ({ id, call: book.find(id) })),
    review: () => undefined,
    unknownEntry: (id) => ({ UniqueId: id, CallRequestId: '', CallState: '', Known: false }),
    pendingEntry: (id) => ({
      UniqueId: id,
      CallRequestId: requestIdOf(id),
      CallState: '',
      Known: true,
    }),
    entry: (id, state) => ({
      UniqueId: id,
      CallRequestId: requestIdOf(id),
      CallState: state,
      Known: true,
    }),
    arrange: (entries) => entries,
  },

  'undecided-pending': {
    summary: 'a pending call is left out of one poll and an entry with an empty state in the next',
    pendingEntry: (id, call) =>
      call.reads % 2 === 0 ? { UniqueId: id, CallRequestId: '', CallState: '' } : undefined,
    arrange: shuffled,
  },

  'reserved-characters': {
    summary: 'ids are full of characters that a URL must escape, and differ in their tails',
    issueId: ({ number }) =>
      `call:${number.slice(0, 3)}/a+b=c&d?#%20;${randomBytes(12).toString('base64')}==`,
    arrange: shuffled,
  },

  'long-ids': {
    summary:
      'ids are signed tickets of 300 characters with a common beginning; unknown ids are listed apart',
    issueId: (order, { settings }) => {
      const nonce = randomBytes(120).toString('hex');
      const seal = createHmac('sha256', settings.project).update(nonce).digest('base64url');
      return `v2.tickets.eu-central-1.${nonce}.${seal}`;
    },
    review: () => undefined,
    results: (entries, selected) => ({
      Total: entries.length,
      CallResults: entries,
      NotFound: selected.filter(({ call }) => call === undefined).map(({ id }) => id),
    }),
  },

  'hypermedia': {
    summary:
      'answers have links, histories and a status in addition to the documented members',
    ack: ({ id }) => ({
      Status: 'Queued',
      UniqueId: id,
      CallRequestId: null,
      _links: { self: { href: `/v2/calls/${id}` } },
    }),
    entry: (id, state) => ({
      _links: { call: { href: `/v2/calls/${id}` } },
      UniqueId: id,
      CallRequestId: requestIdOf(id),
      CallState: state,
      History: [
        { Event: 'Ringing', At: new Date().toISOString() },
        { Event: 'Over', Cost: 0.02 },
      ],
    }),
    results: (entries) => ({ Page: { Number: 1, Of: 1 }, CallResults: entries, Warnings: [] }),
  },

  'indented': {
    summary:
      'JSON is indented and escaped, ends in a line break and says its type in capitals; empty lists are served',
    contentType: 'Application/JSON; Charset="UTF-8"',
    encode: escapedAndIndented,
    emptyListServed: true,
    review: () => undefined,
  },

  'compressed': {
    summary: 'answers are gzipped for clients that say they understand it, and tagged',
    finish: (answer, { headers }) =>
      /\bgzip\b/.test(headers['accept-encoding'] ?? '')
        ? {
            ...answer,
            headers: {
              ...answer.headers,
              'content-encoding': 'gzip',
              'vary': 'accept-encoding',
              'etag': 'W/"1"',
            },
            body: gzipSync(answer.body),
          }
        : answer,
  },

  'strict': {
    summary:
      'no null, no undocumented parameter, no other media type, no poll beyond 20 ids, no body beyond 32 KiB',
    nullIsAbsent: false,
    objection: onlyKnownParameters,
    batchLimit: 20,
    bodyLimit: 32 * 1024,
  },

  'throttled': {
    summary: 'more than 12 requests in half a second are answered 429 with Retry-After in seconds',
    intercept: throttle(12, 500, () => '1'),
  },

  'throttled-until': {
    summary: 'more than 15 requests in half a second are answered 429 with Retry-After as a date',
    intercept: throttle(15, 500, () => new Date(Date.now() + 1000).toUTCString()),
    chunked: false,
  },

  'throttled-bare': {
    summary: 'more than 12 requests in half a second are answered 429 without Retry-After',
    intercept: throttle(12, 500, () => undefined),
  },

  'slow': {
    summary: 'triggers take 150 ms, polls 80 ms, and states are reported 200 ms after the call is over',
    beforeAck: () => pause(150),
    pollLag: 80,
    stateLag: 200,
  },

  'answers-when-over': {
    summary:
      'a trigger is answered after its call is over, and the result may be delivered before the answer',
    beforeAck: (call, exchange, { settings }) => pause(settings.ring_seconds * 1000 + 100),
    deliveryDelay: (call, { settings }) => settings.ring_seconds * 1000,
  },

  'short-keep-alive': {
    summary: 'idle connections are closed after 60 ms, unannounced',
    keepAliveMs: 60,
    chunked: false,
  },

  'interim-answers': {
    summary: '102 Processing comes before each answer',
    interim: true,
  },

  'form-posts': {
    summary: 'results are POSTed as forms, twice, and carry the id without a state',
    parcels: (ended) =>
      ended.flatMap(({ id, destination }) => {
        const parcel = {
          method: 'POST',
          url: destination,
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: new URLSearchParams({ unique_id: id, event: 'call.completed' }).toString(),
        };
        return [parcel, parcel];
      }),
  },

  'put-in-path': {
    summary: 'results are PUT without a body, the id being appended to the path of the destination',
    parcels: (ended) =>
      ended.map(({ id, destination }) => {
        const url = new URL(destination);
        url.pathname = `${url.pathname.replace(/\/$/, '')}/${id}`;
        return { method: 'PUT', url: url.href, headers: { 'content-length': '0' } };
      }),
  },

  'grouped-posts': {
    summary: 'results for one destination are gathered for 100 ms and POSTed as one JSON list',
    gatherMs: 100,
    parcels: (ended) => [
      {
        method: 'POST',
        url: ended[0].destination,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(
          ended.map(({ id, state }) => ({ UniqueId: id, CallRequestId: '', CallState: state })),
        ),
      },
    ],
  },

  'xml-posts': {
    summary: 'results are POSTed as XML, after a GET that carries the id alone',
    parcels: (ended) =>
      ended.flatMap(({ id, state, destination }) => [
        { method: 'GET', url: withQuery(destination, { id }) },
        {
          method: 'POST',
          url: destination,
          headers: { 'content-type': 'application/xml; charset=utf-8', 'user-agent': 'calls/2' },
          body: `<?xml version="1.0"?><Result UniqueId="${markup(id)}"><State>${markup(state)}</State></Result>`,
        },
      ]),
  },

  'probing': {
    summary:
      'the destination is probed with HEAD and OPTIONS, without an id, when the trigger comes',
    beforeAck: ({ destination }) => {
      if (destination === undefined) return;
      for (const method of ['HEAD', 'OPTIONS']) send({ method, url: destination });
    },
  },
};
