// The behaviour without a dialect or a fault: a modern service behind a proxy. It makes every choice
// that the contract leaves open, and every decision that a fault can make wrong; dialects.mjs and
// faults.mjs have other decisions under the same names.

import { randomBytes } from 'node:crypto';
import { STATUS_CODES } from 'node:http';

import { Refusal } from './refusal.mjs';

const front = {
  intercept: () => undefined,
  methodStatus: ({ method }) => (method === 'POST' ? undefined : 405),
  bodyLimit: 512 * 1024,
  dwell: 0,
  keepAliveMs: 5000,
  closes: false,
  chunked: true,
  interim: false,
  phrase: (status) => STATUS_CODES[status],
  headerName: (name) => name,
  headers: ({ requestId }) => ({
    'access-control-allow-origin': '*',
    'x-request-id': requestId,
    'server-timing': 'app;dur=1',
    'vary': 'origin',
  }),
  contentType: 'application/json',
  encode: (value) => JSON.stringify(value),
  finish: (answer) => answer,
  refusal: ({ status, message }, { requestId }) => ({
    status,
    headers: {
      'content-type': 'application/problem+json',
      'allow': status === 405 ? 'POST' : undefined,
      'www-authenticate': status === 401 ? 'AccessToken' : undefined,
    },
    value: {
      type: 'about:blank',
      title: STATUS_CODES[status],
      status,
      detail: message,
      instance: `urn:uuid:${requestId}`,
    },
  }),
};

const triggers = {
  parse: JSON.parse,
  amend: (body) => body,
  nullIsAbsent: true,
  credentialsFirst: false,
  objection: () => undefined,
  tokenMatches: (given, real) => given === real,
  projectMatches: (given, real) => given === real,
  knownCall: () => undefined,
  issueId: () => randomBytes(16).toString('base64url'),
  beforeAck: () => undefined,
  ackStatus: () => 200,
  ack: ({ id }) => ({ UniqueId: id }),
};

const calls = {
  outcome: ({ number }, { lines }) => lines.get(number),
  stateLag: 0,
  settle: (call) => {
    call.state = call.outcome;
  },
  stateOf: ({ state }) => state,
};

const polls = {
  amendPoll: (body) => body,
  emptyListServed: false,
  batchLimit: Infinity,
  pollLag: 0,
  select: (ids, { book }) => [...new Set(ids)].map((id) => ({ id, call: book.find(id) })),
  review: (selected) => {
    if (selected.length > 0 && selected.every(({ call }) => call === undefined)) {
      throw new Refusal(404, 'none of these calls is known');
    }
  },
  unknownEntry: () => undefined,
  pendingEntry: () => undefined,
  entry: (id, state) => ({ UniqueId: id, CallRequestId: '', CallState: state }),
  arrange: (entries) => entries.reverse(),
  pollStatus: () => 200,
  results: (entries) => ({ CallResults: entries }),
};

/** The address with more members in its query. */
export function withQuery(address, members) {
  const url = new URL(address);
  const added = new URLSearchParams(members).toString();
  url.search = url.search === '' ? added : `${url.search}&${added}`;
  return url.href;
}

const deliveries = {
  gatherMs: 0,
  delivers: () => true,
  deliveryDelay: ({ immediate }, { settings, behaviour }) =>
    (settings.ring_seconds +
      (immediate ? settings.delivery_seconds : settings.queued_delivery_seconds)) *
      1000 +
    behaviour.stateLag,
  parcels: (ended) =>
    ended.map(({ id, state, destination }) => ({
      method: 'GET',
      url: withQuery(destination, { uniqueId: id, callState: state }),
    })),
  retries: (status) => status === 0 || status >= 500,
  afterDelivery: () => undefined,
};

export const natural = { ...front, ...triggers, ...calls, ...polls, ...deliveries };
