// Faults in the states that polls report over the life of a call: STA.

import { natural } from './natural.mjs';

const elapsed = ({ settledAt }) => Date.now() - settledAt;
const isOver = ({ settledAt }) => settledAt !== undefined;

/** Misspells one state in polls and deliveries. */
const respelled = (state, spelling) => ({
  settle: (call) => {
    call.state = call.outcome === state ? spelling : call.outcome;
  },
});

/** Reports `change(state)` for a final state. */
const drifting = (change) => ({
  stateOf: (call, deployment) => (call.state === '' ? '' : change(call, deployment)),
});

/** Reports `guess(call)` while the call is in progress. */
const guessing = (guess) => ({
  stateOf: (call, deployment) => (call.state === '' ? guess(call, deployment) : call.state),
});

export const STATE_FAULTS = {
  'no-break-space': {
    clauses: ['STA-01'],
    summary: 'writes No Answer with a no-break space',
    ...respelled('No Answer', 'No\u00a0Answer'),
  },
  'state-cut-at-twenty': {
    clauses: ['STA-01'],
    summary: 'cuts states to 20 characters, which Temporarily Unavailable does not survive',
    ...respelled('Temporarily Unavailable', 'Temporarily Unavaila'),
  },
  'busy-padded': {
    clauses: ['STA-01'],
    summary: 'pads Busy with blanks to eight characters',
    ...respelled('Busy', 'Busy    '),
  },
  'small-number': {
    clauses: ['STA-01'],
    summary: 'writes Invalid number with a small n',
    ...respelled('Invalid Number', 'Invalid number'),
  },
  'other-word-for-rejected': {
    clauses: ['STA-01'],
    summary: 'writes Declined for Rejected',
    ...respelled('Rejected', 'Declined'),
  },

  'busy-never-settles': {
    clauses: ['STA-02'],
    summary: 'never finishes calls to busy lines',
    settle: (call) => {
      if (call.outcome !== 'Busy') natural.settle(call);
    },
    delivers: ({ outcome }) => outcome !== 'Busy',
  },
  'pending-cached': {
    clauses: ['STA-02'],
    summary: 'reports a call that was polled while in progress as in progress for ever',
    stateOf: (call) => {
      call.stale ||= call.state === '';
      return call.stale ? '' : call.state;
    },
  },
  'every-ninth-call-lost': {
    clauses: ['STA-02'],
    summary: 'loses every ninth call, which is never finished',
    settle: (call, { book }) => {
      if ((book.all.indexOf(call) + 1) % 9 !== 0) natural.settle(call);
    },
    delivers: ({ state }) => state !== '',
  },
  'nameless-calls-lost': {
    clauses: ['STA-02'],
    summary: 'never finishes calls without an EndUser',
    settle: (call) => {
      if (call.body.EndUser) natural.settle(call);
    },
    delivers: ({ state }) => state !== '',
  },
  'crowd-never-settles': {
    clauses: ['STA-02'],
    summary: 'forgets calls that are placed while eight are ringing',
    issueId: (order, { book, memory }) => {
      const id = natural.issueId();
      if (book.ringing >= 8) (memory.forgotten ??= new Set()).add(id);
      return id;
    },
    settle: (call, { memory }) => {
      if (!memory.forgotten?.has(call.id)) natural.settle(call);
    },
    delivers: ({ state }) => state !== '',
  },

  'next-lines-state': {
    clauses: ['STA-03'],
    summary: 'reports for each line the state of the next one',
    outcome: ({ number }, { lines }) => {
      const numbers = [...lines.keys()];
      return lines.get(numbers[(numbers.indexOf(number) + 1) % numbers.length]);
    },
  },
  'rejected-as-busy': {
    clauses: ['STA-03'],
    summary: 'reports Busy for lines that reject',
    outcome: (order, deployment) => {
      const state = natural.outcome(order, deployment);
      return state === 'Rejected' ? 'Busy' : state;
    },
  },
  'unavailable-as-no-answer': {
    clauses: ['STA-03'],
    summary: 'reports No Answer for lines that are temporarily unavailable',
    outcome: (order, deployment) => {
      const state = natural.outcome(order, deployment);
      return state === 'Temporarily Unavailable' ? 'No Answer' : state;
    },
  },
  'error-in-a-crowd': {
    clauses: ['STA-03'],
    summary: 'ends calls in Error that are placed while four are ringing',
    outcome: (order, deployment) =>
      deployment.book.ringing >= 4 ? 'Error' : natural.outcome(order, deployment),
  },
  'variables-decide': {
    clauses: ['STA-03'],
    summary: 'reports Answered for every call without variables',
    outcome: (order, deployment) =>
      order.body.ScenarioInputParameters.length === 2
        ? 'Answered'
        : natural.outcome(order, deployment),
  },

  'answered-drifts': {
    clauses: ['STA-04'],
    summary: 'turns Answered into Error 1.2 s after the end of the call',
    ...drifting((call) =>
      call.state === 'Answered' && elapsed(call) > 1200 ? 'Error' : call.state,
    ),
  },
  'reported-once': {
    clauses: ['STA-04'],
    summary: 'reports a result once and leaves it out ever after',
    stateOf: (call) => {
      if (call.reported) return '';
      call.reported = call.state !== '';
      return call.state;
    },
  },
  'gone-after-two-seconds': {
    clauses: ['STA-04'],
    summary: 'forgets a result 2 s after the end of the call',
    ...drifting((call) => (elapsed(call) > 2000 ? '' : call.state)),
  },
  'stale-replica': {
    clauses: ['STA-04'],
    summary: 'answers every other poll from a replica that learns of results 1.5 s late',
    ...drifting((call, { polls }) => (polls % 2 === 0 && elapsed(call) < 1500 ? '' : call.state)),
  },
  'one-record-a-line': {
    clauses: ['STA-04'],
    summary: 'forgets the result of a call for as long as its line is ringing again',
    ...drifting((call, { book }) =>
      book.all.some((other) => other.number === call.number && !isOver(other)) ? '' : call.state,
    ),
  },
  'archived-after-delivery': {
    clauses: ['STA-04'],
    summary: 'archives a result 0.7 s after its delivery, where polls do not find it',
    afterDelivery: (call, status) => {
      if (status >= 200 && status < 300) {
        setTimeout(() => {
          call.state = '';
        }, 700);
      }
    },
  },
  'third-reading-differs': {
    clauses: ['STA-04'],
    summary: 'reports No Answer for Rejected from the third reading of the result on',
    ...drifting((call) => {
      call.readings = (call.readings ?? 0) + 1;
      return call.state === 'Rejected' && call.readings > 2 ? 'No Answer' : call.state;
    }),
  },

  'first-look-unavailable': {
    clauses: ['STA-05'],
    summary: 'reports Temporarily Unavailable at the first poll for a call in progress',
    ...guessing((call) => (call.reads === 0 ? 'Temporarily Unavailable' : '')),
  },
  'no-answer-until-known': {
    clauses: ['STA-05'],
    summary: 'reports No Answer for a call in progress',
    ...guessing(() => 'No Answer'),
  },
  'answered-while-ringing': {
    clauses: ['STA-05'],
    summary: 'reports Answered in the second half of the ringing',
    ...guessing((call, { settings }) =>
      Date.now() - call.acceptedAt > settings.ring_seconds * 500 ? 'Answered' : '',
    ),
  },
  'pending-is-error-in-batches': {
    clauses: ['STA-05'],
    summary: 'reports Error for calls in progress when several are asked for',
    pendingEntry: (id, call, selected) =>
      selected.length > 1 ? natural.entry(id, 'Error') : undefined,
  },
  'undeclared-word': {
    clauses: ['STA-05', 'STA-01'],
    summary: 'reports Ringing for a call in progress',
    ...guessing(() => 'Ringing'),
  },
};
