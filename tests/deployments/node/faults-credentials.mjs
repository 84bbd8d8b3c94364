// Faults in the check of credentials and in the form of refusals: REQ-15 and REQ-16.

import { natural } from './natural.mjs';
import { Refusal, isObject } from './refusal.mjs';

const credentials = {
  'token-of-any-case': {
    clauses: ['REQ-15'],
    summary: 'compares the AccessToken without regard to case',
    tokenMatches: (given, real) => given.toLowerCase() === real.toLowerCase(),
  },
  'token-prefix': {
    clauses: ['REQ-15'],
    summary: 'accepts the beginning of the AccessToken',
    tokenMatches: (given, real) => given.length > 3 && real.startsWith(given),
  },
  'token-appended': {
    clauses: ['REQ-15'],
    summary: 'accepts an AccessToken with something appended',
    tokenMatches: (given, real) => given.startsWith(real),
  },
  'token-trimmed': {
    clauses: ['REQ-15'],
    summary: 'accepts an AccessToken with white space around it',
    tokenMatches: (given, real) => given.trim() === real,
  },
  'token-ends-at-nul': {
    clauses: ['REQ-15'],
    summary: 'reads an AccessToken up to its first NUL character only',
    tokenMatches: (given, real) => given.split('\0')[0] === real,
  },
  'token-for-any-project': {
    clauses: ['REQ-15'],
    summary: 'accepts the right AccessToken with another Project',
    projectMatches: () => true,
  },
};

const refusing = {
  'credentials-refused-with-200': {
    clauses: ['REQ-16'],
    summary: 'answers wrong credentials with 200 and an error in the body',
    refusal: (refusal, exchange) =>
      [401, 403].includes(refusal.status)
        ? { status: 200, value: { error: refusal.message } }
        : natural.refusal(refusal, exchange),
  },
  'refused-by-redirect': {
    clauses: ['REQ-16'],
    summary: 'redirects a trigger that is not valid to an error page',
    refusal: (refusal, exchange) =>
      exchange.kind === 'trigger' && refusal.status === 422
        ? { status: 302, headers: { location: '/error' }, body: '' }
        : natural.refusal(refusal, exchange),
  },
  'refusal-carries-id': {
    clauses: ['REQ-16'],
    summary: 'gives a UniqueId with the refusal of a trigger that is not valid',
    refusal: (refusal, exchange) => {
      const answer = natural.refusal(refusal, exchange);
      if (exchange.kind !== 'trigger' || refusal.status !== 422) return answer;
      return { ...answer, value: { ...answer.value, UniqueId: natural.issueId() } };
    },
  },
  'missing-list-500': {
    clauses: ['REQ-16', 'ROB-01'],
    summary: 'answers 500 to a trigger without ScenarioInputParameters',
    amend: (body) => {
      if (isObject(body) && body.ScenarioInputParameters === undefined)
        throw new Refusal(500, 'internal error');
      return body;
    },
  },
  'dials-before-credentials': {
    clauses: ['REQ-16', 'REQ-15'],
    summary: 'places the call before it refuses the credentials, and names its id in the refusal',
    refusal: (refusal, exchange, deployment) => {
      const answer = natural.refusal(refusal, exchange);
      if (refusal.status !== 401 || exchange.order === undefined) return answer;
      return {
        ...answer,
        value: { ...answer.value, UniqueId: deployment.place(exchange.order).id },
      };
    },
    objection: (order, exchange, { lines }) => {
      if (lines.has(order.number)) exchange.order = order;
    },
  },
};

export const CREDENTIAL_FAULTS = { ...credentials, ...refusing };
