// Faults in the results sent to ResultDestination: DST.

import { send } from './courier.mjs';
import { natural, withQuery } from './natural.mjs';

/** Delivers only the results for which the test holds. */
const delivering = (test) => ({ delivers: test });

/** Changes the requests that deliver results. */
const bringing = (change) => ({
  parcels: (ended, deployment) =>
    natural
      .parcels(ended)
      .map((parcel, index) => ({ ...parcel, ...change(ended[index], deployment, parcel) })),
});

const reporting = (members) =>
  bringing((call, deployment) => ({ url: withQuery(call.destination, members(call, deployment)) }));

const early = (test, share) => ({
  deliveryDelay: (call, deployment) =>
    test(call)
      ? deployment.settings.ring_seconds * 1000 * share
      : natural.deliveryDelay(call, deployment),
});

export const DELIVERY_FAULTS = {
  'immediate-never': {
    clauses: ['DST-01'],
    summary: 'never delivers the results that are wanted immediately',
    ...delivering(({ immediate }) => !immediate),
  },
  'id-cut-in-delivery': {
    clauses: ['DST-01', 'DST-02'],
    summary: 'cuts the id to 20 characters in what it sends',
    ...reporting(({ id, state }) => ({ uniqueId: id.slice(0, 20), callState: state })),
  },
  'conversation-instead-of-id': {
    clauses: ['DST-01', 'DST-02'],
    summary: 'sends the ConversationId in the place of the UniqueId',
    ...reporting(({ body, state }) => ({ uniqueId: body.ConversationId, callState: state })),
  },
  'destination-path-dropped': {
    clauses: ['DST-01', 'DST-02'],
    summary: 'sends results to the root of the destination instead of its path',
    ...bringing((call, deployment, { url }) => ({
      url: new URL(`/${new URL(url).search}`, url).href,
    })),
  },

  'queued-never': {
    clauses: ['DST-02'],
    summary: 'never delivers the results that are queued',
    ...delivering(({ immediate }) => immediate),
  },
  'absent-flag-never': {
    clauses: ['DST-02'],
    summary: 'never delivers the result of a trigger that leaves SendResultImmediately out',
    ...delivering(({ body }) => body.SendResultImmediately !== undefined),
  },
  'queue-of-one': {
    clauses: ['DST-02'],
    summary: 'keeps only the latest of the queued results, and loses those that waited',
    delivers: (call, { book }) =>
      call.immediate ||
      book.all.findLast((other) => !other.immediate && other.destination) === call,
  },
  'queue-waits-for-five': {
    clauses: ['DST-02'],
    summary: 'flushes the queue when five results are in it, and never the rest',
    parcels: (ended, { memory }) => {
      const [call] = ended;
      if (call.immediate) return natural.parcels(ended);
      (memory.queue ??= []).push(call);
      return memory.queue.length === 5 ? natural.parcels(memory.queue.splice(0)) : [];
    },
  },

  'reported-at-trigger': {
    clauses: ['DST-03'],
    summary: 'sends the id as soon as the call is placed',
    ...early(() => true, 0),
    ...reporting(({ id }) => ({ uniqueId: id })),
  },
  'queued-reported-early': {
    clauses: ['DST-03'],
    summary: 'sends queued results while the call is still ringing',
    ...early(({ immediate }) => !immediate, 0.1),
    ...reporting(({ id }) => ({ uniqueId: id })),
  },
  'busy-reported-early': {
    clauses: ['DST-03'],
    summary: 'sends the result of a busy line before polls know of it',
    ...early(({ outcome }) => outcome === 'Busy', 0.1),
    ...reporting(({ id, outcome }) => ({ uniqueId: id, callState: outcome })),
  },

  'only-answered-delivered': {
    clauses: ['DST-04'],
    summary: 'delivers the results of answered calls alone',
    ...delivering(({ outcome }) => outcome === 'Answered'),
  },
  'states-with-blanks-lost': {
    clauses: ['DST-04'],
    summary: 'fails to send states with a blank, which it does not escape',
    ...delivering(({ outcome }) => !outcome.includes(' ')),
  },
  'errors-not-sent': {
    clauses: ['DST-04'],
    summary: 'does not deliver the results of calls that ended in Error',
    ...delivering(({ outcome }) => outcome !== 'Error'),
  },

  'always-delivers-answered': {
    clauses: ['DST-05'],
    summary: 'sends Answered as the state of every call',
    ...reporting(({ id }) => ({ uniqueId: id, callState: 'Answered' })),
  },
  'delivered-state-run-together': {
    clauses: ['DST-05'],
    summary: 'sends states without their blanks, unlike those that polls report',
    ...reporting(({ id, state }) => ({ uniqueId: id, callState: state.replaceAll(' ', '') })),
  },
  'queued-rejected-as-busy': {
    clauses: ['DST-05'],
    summary: 'sends Busy for calls that were rejected, when they were queued',
    ...reporting(({ id, state, immediate }) => ({
      uniqueId: id,
      callState: state === 'Rejected' && !immediate ? 'Busy' : state,
    })),
  },

  'token-in-delivery': {
    clauses: ['DST-06'],
    summary: 'sends the AccessToken along in the query',
    ...reporting(({ id, state, body }) => ({
      uniqueId: id,
      callState: state,
      accessToken: body.AccessToken,
    })),
  },
  'token-as-bearer': {
    clauses: ['DST-06'],
    summary: 'sends the AccessToken along in the header Authorization',
    ...bringing(({ body }) => ({
      headers: { authorization: `Bearer ${encodeURIComponent(body.AccessToken)}` },
    })),
  },
  'request-in-delivery': {
    clauses: ['DST-06'],
    summary: 'posts the whole trigger along with the result, its AccessToken included',
    ...bringing(({ id, state, body, destination }) => ({
      method: 'POST',
      url: destination,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ UniqueId: id, CallState: state, Request: body }),
    })),
  },
  'names-previous-call': {
    clauses: ['DST-06'],
    summary: 'names the call before along with the one that has ended',
    ...reporting((call, { book }) => ({
      uniqueId: call.id,
      callState: call.state,
      previous: book.all[book.all.indexOf(call) - 1]?.id ?? '',
    })),
  },
  'sent-to-latest-destination': {
    clauses: ['DST-06', 'DST-01', 'DST-02'],
    summary: 'sends each result to the destination of the latest trigger',
    ...bringing(({ id, state }, { book }) => ({
      url: withQuery(book.all.findLast(({ destination }) => destination).destination, {
        uniqueId: id,
        callState: state,
      }),
    })),
  },

  'destination-awaited': {
    clauses: ['DST-07'],
    summary:
      'asks the destination whether it is there before it answers the trigger, however slow that is',
    beforeAck: async ({ destination }) => {
      if (destination) await send({ method: 'HEAD', url: destination }, 30_000);
    },
  },
  'destination-must-be-up': {
    clauses: ['DST-07'],
    summary: 'refuses a trigger whose destination does not accept connections',
    objection: async ({ destination }) => {
      if (destination && (await send({ method: 'HEAD', url: destination }, 2000)) === 0) {
        return 'ResultDestination is not reachable';
      }
      return undefined;
    },
  },
  'failed-delivery-erases-result': {
    clauses: ['DST-07', 'STA-04'],
    summary: 'takes a result back when it could not be delivered',
    retries: (status) => status === 503,
    afterDelivery: (call, status) => {
      if (status === 0 || status >= 500) call.state = '';
    },
  },
  'result-waits-for-delivery': {
    clauses: ['DST-07', 'STA-02', 'DST-03'],
    summary: 'lets polls see a result only after it has been delivered',
    settle: (call) => {
      if (call.destination === undefined) natural.settle(call);
    },
    parcels: (ended) => natural.parcels(ended.map((call) => ({ ...call, state: call.outcome }))),
    afterDelivery: (call, status) => {
      if (status >= 200 && status < 300) natural.settle(call);
    },
  },

  'no-second-try': {
    clauses: ['DST-08'],
    summary: 'does not try again what the destination answered with 503',
    retries: (status) => status === 0,
  },
};
