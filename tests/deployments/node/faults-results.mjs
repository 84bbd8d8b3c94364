// Faults in polls and their answers: RES.

import { natural } from './natural.mjs';
import { Refusal, isObject } from './refusal.mjs';

const chosen = (calls) => calls.map((call) => ({ id: call.id, call }));
const isOver = ({ settledAt }) => settledAt !== undefined;

/** Finds the call of each id by a wrong comparison. */
const matching = (alike) => ({
  select: (ids, { book }) =>
    [...new Set(ids)].map((id) => ({
      id,
      call: book.find(id) ?? book.all.find((call) => alike(call.id, id)),
    })),
});

/** Reports every call when the test holds for the ids. */
const reportingAll = (test) => ({
  emptyListServed: true,
  select: (ids, deployment) =>
    test(ids) ? chosen(deployment.book.all) : natural.select(ids, deployment),
});

/** Replaces UniqueIds where the test holds for them. */
const changingIds = (test, change) => ({
  emptyListServed: true,
  amendPoll: (body) =>
    isObject(body) && test(body.UniqueIds) ? { ...body, UniqueIds: change(body.UniqueIds) } : body,
});

/** Changes every entry. */
const rewriting = (change) => ({
  entry: (id, state, call) => change(natural.entry(id, state), call),
});

export const RESULT_FAULTS = {
  'pending-404': {
    clauses: ['RES-01'],
    summary: 'answers 404 to a poll none of whose calls is over',
    pollStatus: (entries, selected) => (entries.length === 0 && selected.length > 0 ? 404 : 200),
  },
  'pending-202': {
    clauses: ['RES-01'],
    summary: 'answers 202 to a poll with a call in progress',
    pollStatus: (entries, selected) =>
      selected.some(({ call }) => call && !isOver(call)) ? 202 : 200,
  },
  'multi-status': {
    clauses: ['RES-01'],
    summary: 'answers 207 to a poll whose calls ended in different states',
    pollStatus: (entries) =>
      new Set(entries.map(({ CallState }) => CallState)).size > 1 ? 207 : 200,
  },
  'single-result-bare': {
    clauses: ['RES-02'],
    summary: 'gives a single result as an object instead of a list of one',
    results: (entries) => ({ CallResults: entries.length === 1 ? entries[0] : entries }),
  },
  'null-when-empty': {
    clauses: ['RES-02'],
    summary: 'gives null for CallResults when there is nothing to report',
    results: (entries) => ({ CallResults: entries.length === 0 ? null : entries }),
  },
  'absent-when-empty': {
    clauses: ['RES-02'],
    summary: 'leaves CallResults out when there is nothing to report',
    results: (entries) => (entries.length === 0 ? {} : { CallResults: entries }),
  },
  'bare-list-for-several': {
    clauses: ['RES-02'],
    summary: 'answers a poll that has several results with the list alone',
    results: (entries) => (entries.length > 1 ? entries : { CallResults: entries }),
  },
  'request-id-null': {
    clauses: ['RES-03'],
    summary: 'gives null for an empty CallRequestId',
    ...rewriting((entry) => ({ ...entry, CallRequestId: null })),
  },
  'request-id-absent-unless-answered': {
    clauses: ['RES-03'],
    summary: 'leaves CallRequestId out of the entries of calls that were not answered',
    ...rewriting((entry) =>
      entry.CallState === 'Answered' ? entry : { ...entry, CallRequestId: undefined },
    ),
  },
  'request-id-zero-when-busy': {
    clauses: ['RES-03'],
    summary: 'gives the number 0 for the CallRequestId of busy lines',
    ...rewriting((entry) => (entry.CallState === 'Busy' ? { ...entry, CallRequestId: 0 } : entry)),
  },
  'pending-as-null-entry': {
    clauses: ['RES-03'],
    summary: 'puts null into CallResults for a call in progress',
    pendingEntry: () => null,
  },

  'page-of-ten': {
    clauses: ['RES-04'],
    summary: 'reports ten results at most',
    arrange: (entries) => entries.slice(0, 10),
  },
  'eleventh-left-out': {
    clauses: ['RES-04'],
    summary: 'leaves out the eleventh result',
    arrange: (entries) => entries.filter((_, index) => index !== 10),
  },
  'last-of-several-left-out': {
    clauses: ['RES-04'],
    summary: 'leaves out the last result when there are three or more',
    arrange: (entries) => (entries.length > 2 ? entries.slice(0, -1) : entries),
  },
  'chunks-overlap': {
    clauses: ['RES-04'],
    summary: 'looks ids up in chunks of eight that overlap, and reports those at the border twice',
    arrange: (entries) =>
      entries.flatMap((entry, index) => (index > 0 && index % 8 === 0 ? [entry, entry] : [entry])),
  },
  'first-pair-swapped': {
    clauses: ['RES-04'],
    summary: 'swaps the states of the first two results in polls of six or more',
    arrange: (entries) => {
      if (entries.length < 6) return entries;
      const [one, other, ...rest] = entries;
      return [
        { ...one, CallState: other.CallState },
        { ...other, CallState: one.CallState },
        ...rest,
      ];
    },
  },
  'states-in-reverse': {
    clauses: ['RES-04'],
    summary: 'reverses the ids of a batch but not the states',
    arrange: (entries) =>
      entries.map((entry, index) => ({ ...entry, CallState: entries.at(-1 - index).CallState })),
  },
  'one-result-a-line': {
    clauses: ['RES-04'],
    summary: 'reports one result a number, when several calls to it are asked for',
    select: (ids, deployment) => [
      ...new Map(
        natural.select(ids, deployment).map((one) => [one.call?.number ?? one.id, one]),
      ).values(),
    ],
  },
  'partial-beyond-twenty': {
    clauses: ['RES-04'],
    summary: 'looks at the first 20 ids of a longer poll and answers for those',
    amendPoll: (body) =>
      Array.isArray(body?.UniqueIds) ? { ...body, UniqueIds: body.UniqueIds.slice(0, 20) } : body,
  },
  'error-voids-batch': {
    clauses: ['RES-04'],
    summary: 'reports only the failure when a call in the batch ended in Error',
    arrange: (entries) => {
      const failed = entries.filter(({ CallState }) => CallState === 'Error');
      return failed.length > 0 ? failed : entries;
    },
  },
  'pending-holds-batch': {
    clauses: ['RES-04'],
    summary: 'reports no result of a batch before all of its calls are over',
    arrange: (entries, selected) =>
      selected.every(({ call }) => !call || isOver(call)) ? entries : [],
  },
  'nineteen-at-most': {
    clauses: ['RES-04'],
    summary: 'refuses polls for 20 calls with 413',
    batchLimit: 19,
  },
  'short-polls-only': {
    clauses: ['RES-04'],
    summary: 'refuses polls of more than 400 bytes with 413',
    intercept: ({ kind, method, raw }) => {
      if (kind === 'poll' && method === 'POST' && raw.length > 400)
        throw new Refusal(413, 'the poll is too long');
    },
  },

  'empty-list-reports-all': {
    clauses: ['RES-05'],
    summary: 'reports every call when the list of ids is empty',
    ...reportingAll((ids) => ids.length === 0),
  },
  'missing-list-reports-all': {
    clauses: ['RES-05', 'RES-08'],
    summary: 'reports every call when UniqueIds is missing',
    ...changingIds(
      (ids) => ids === undefined,
      () => ['\0all'],
    ),
    select: reportingAll((ids) => ids[0] === '\0all').select,
    emptyListServed: false,
  },
  'null-list-reports-all': {
    clauses: ['RES-05', 'RES-08'],
    summary: 'reports every call when UniqueIds is null',
    ...changingIds(
      (ids) => ids === null,
      () => ['\0all'],
    ),
    select: reportingAll((ids) => ids[0] === '\0all').select,
    emptyListServed: false,
  },
  'object-reports-all': {
    clauses: ['RES-05', 'RES-08'],
    summary: 'reports every call when UniqueIds is an object, which it takes for a filter',
    ...changingIds(isObject, () => ['\0all']),
    select: reportingAll((ids) => ids[0] === '\0all').select,
    emptyListServed: false,
  },
  'empty-id-reports-all': {
    clauses: ['RES-05'],
    summary: 'reports every call when an empty id is asked for',
    ...reportingAll((ids) => ids.includes('')),
    emptyListServed: false,
  },
  'percent-reports-all': {
    clauses: ['RES-05'],
    summary: 'matches ids as SQL patterns, so that % matches every call',
    select: (ids, { book }) =>
      ids.includes('%') ? chosen(book.all) : natural.select(ids, { book }),
  },
  'prefix-finds-calls': {
    clauses: ['RES-05'],
    summary: 'reports the calls whose ids begin with what is asked for',
    select: (ids, { book }) =>
      ids.flatMap((id) => {
        const found = id.length < 3 ? [] : book.all.filter((call) => call.id.startsWith(id));
        return found.length > 0 ? chosen(found) : [{ id, call: undefined }];
      }),
  },
  'conversation-joined': {
    clauses: ['RES-05'],
    summary: 'reports all calls with the ConversationId of one that was asked for',
    select: (ids, deployment) => {
      const asked = natural.select(ids, deployment);
      const conversations = new Set(asked.map(({ call }) => call?.body.ConversationId));
      const joined = deployment.book.all.filter(
        (call) => conversations.has(call.body.ConversationId) && !ids.includes(call.id),
      );
      return [...asked, ...chosen(joined)];
    },
  },
  'polls-share-a-buffer': {
    clauses: ['RES-05', 'ROB-03'],
    summary: 'collects the ids of polls that come at once in one buffer, and answers each for all',
    dwell: 80,
    select: (ids, deployment, { place }) => {
      const { memory } = deployment;
      memory.buffer = place === 1 ? ids : [...(memory.buffer ?? []), ...ids];
      return natural.select(memory.buffer, deployment);
    },
  },

  'ids-decoded': {
    clauses: ['RES-06'],
    summary:
      'compares ids as decoded bytes, so that padding and the spare bits of the last letter do not count',
    ...matching((real, given) =>
      Buffer.from(given, 'base64url').equals(Buffer.from(real, 'base64url')),
    ),
  },
  'ids-cut-to-length': {
    clauses: ['RES-06'],
    summary: 'cuts ids to 22 characters, so that one with something appended is found',
    ...matching((real, given) => given.startsWith(real)),
  },
  'unknown-is-error': {
    clauses: ['RES-06'],
    summary: 'reports Error for ids that it does not know',
    review: () => undefined,
    unknownEntry: (id) => natural.entry(id, 'Error'),
  },
  'unknown-is-invalid-beside-known': {
    clauses: ['RES-06'],
    summary: 'reports Invalid Number for an unknown id beside known ones',
    unknownEntry: (id) => natural.entry(id, 'Invalid Number'),
  },
  'well-formed-unknown-no-answer': {
    clauses: ['RES-06'],
    summary: 'reports No Answer for an unknown id that has the form of its own, as if it had expired',
    review: (selected) => {
      if (!selected.some(({ id }) => /^[\w-]{22}$/.test(id))) natural.review(selected);
    },
    unknownEntry: (id) => (/^[\w-]{22}$/.test(id) ? natural.entry(id, 'No Answer') : undefined),
  },

  'one-unknown-refuses-all': {
    clauses: ['RES-07'],
    summary: 'refuses a poll with 404 when one of its ids is unknown',
    review: (selected) => {
      if (selected.some(({ call }) => call === undefined))
        throw new Refusal(404, 'a call is not known');
    },
  },
  'stops-at-unknown': {
    clauses: ['RES-07'],
    summary: 'reports the results up to the first unknown id only',
    select: (ids, deployment) => {
      const all = natural.select(ids, deployment);
      const end = all.findIndex(({ call }) => call === undefined);
      return end === -1 ? all : all.slice(0, end);
    },
  },
  'odd-id-refuses-all': {
    clauses: ['RES-07'],
    summary: 'refuses a poll with 422 when one of its ids has not the form of its own',
    review: (selected) => {
      natural.review(selected);
      if (selected.some(({ id }) => !/^[\w-]{22}$/.test(id)))
        throw new Refusal(422, 'an id is malformed');
    },
  },

  'missing-list-is-empty': {
    clauses: ['RES-08'],
    summary: 'answers a poll without UniqueIds with no results',
    ...changingIds(
      (ids) => ids === undefined,
      () => [],
    ),
  },
  'string-for-list': {
    clauses: ['RES-08'],
    summary: 'accepts a single string for UniqueIds',
    ...changingIds(
      (ids) => typeof ids === 'string',
      (id) => [id],
    ),
    emptyListServed: false,
  },
  'odd-members-skipped': {
    clauses: ['RES-08'],
    summary: 'passes over what is no string in UniqueIds, and answers for the rest',
    ...changingIds(Array.isArray, (ids) => ids.filter((id) => typeof id === 'string')),
  },
  'nested-ids-flattened': {
    clauses: ['RES-08'],
    summary: 'accepts ids in lists within UniqueIds',
    ...changingIds(Array.isArray, (ids) => ids.flat()),
    emptyListServed: false,
  },
  'bare-list-of-ids': {
    clauses: ['RES-08'],
    summary: 'accepts a list of ids for the body of a poll',
    amendPoll: (body) => (Array.isArray(body) ? { UniqueIds: body } : body),
  },

  'twice-cancels': {
    clauses: ['RES-09'],
    summary: 'leaves out a call whose id is asked for twice',
    select: (ids, deployment) =>
      natural.select(
        ids.filter((id) => ids.indexOf(id) === ids.lastIndexOf(id)),
        deployment,
      ),
  },
  'twice-refused': {
    clauses: ['RES-09'],
    summary: 'refuses a poll that asks for an id twice',
    review: natural.review,
    amendPoll: (body) => {
      const ids = body?.UniqueIds;
      if (Array.isArray(ids) && new Set(ids).size < ids.length)
        throw new Refusal(422, 'an id is given twice');
      return body;
    },
  },
  'second-copy-empty': {
    clauses: ['RES-09'],
    summary: 'reports an id that is asked for twice once with its state and once without',
    arrange: (entries, selected, ids) => {
      const again = ids.filter((id, index) => ids.indexOf(id) !== index);
      return [...entries, ...again.map((id) => natural.entry(id, ''))];
    },
  },
  'twice-costs-a-neighbour': {
    clauses: ['RES-09'],
    summary: 'drops the last result for each id that is asked for twice',
    arrange: (entries, selected, ids) =>
      entries.slice(0, entries.length - (ids.length - new Set(ids).size)),
  },
};
