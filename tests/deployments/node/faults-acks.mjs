// Faults in the answer to a trigger, and in the ids that it gives: ACK.

import { createHash, randomBytes } from 'node:crypto';

import { natural } from './natural.mjs';

const POOL = Array.from({ length: 24 }, () => randomBytes(16).toString('base64url'));
const SECRET = randomBytes(16);

/** Repeats the answer of an earlier call for which the test holds. */
const sameCall = (alike) => ({
  knownCall: (order, { book }) => book.all.find((call) => alike(call, order)),
});

/** Counts the placed calls from 1. */
const nextNumber = (memory) => {
  memory.count = (memory.count ?? 0) + 1;
  return memory.count;
};

export const ACK_FAULTS = {
  'created-201': {
    clauses: ['ACK-01'],
    summary: 'answers an accepted trigger with 201',
    ackStatus: () => 201,
  },
  'queued-202': {
    clauses: ['ACK-01'],
    summary: 'answers a trigger with 202 unless it wants its result immediately',
    ackStatus: ({ immediate }) => (immediate ? 200 : 202),
  },
  'camel-case-ack': {
    clauses: ['ACK-02'],
    summary: 'spells the member uniqueId in the answer to a trigger',
    ack: ({ id }) => ({ uniqueId: id }),
  },
  'list-ack': {
    clauses: ['ACK-02'],
    summary: 'answers a trigger that has variables with a list of one object',
    ack: ({ id, body }) =>
      body.ScenarioInputParameters.length > 2 ? [{ UniqueId: id }] : { UniqueId: id },
  },
  'every-fifth-id-a-number': {
    clauses: ['ACK-02'],
    summary: 'gives every fifth id as a JSON number',
    issueId: (order, { memory }) =>
      nextNumber(memory) % 5 === 0 ? String(Date.now() * 1000 + memory.count) : natural.issueId(),
    ack: ({ id }) => ({ UniqueId: /^\d+$/.test(id) ? Number(id) : id }),
  },
  'no-id-under-pressure': {
    clauses: ['ACK-02', 'ROB-03'],
    summary: 'gives an empty UniqueId when more than 8 requests are in flight',
    dwell: 120,
    ack: ({ id }, { place }) => ({ UniqueId: place > 8 ? '' : id }),
  },

  'ids-by-the-clock': {
    clauses: ['ACK-03', 'STA-03'],
    summary: 'gives one id to all triggers that come within 20 ms',
    issueId: (order, { memory }) => {
      if (memory.tickId === undefined) {
        memory.tickId = natural.issueId();
        setTimeout(() => delete memory.tickId, 20);
      }
      return memory.tickId;
    },
  },
  'same-id-for-same-body': {
    clauses: ['ACK-03'],
    summary: 'answers a repeated identical body from a cache, with the first id',
    ...sameCall((call, { body }) => JSON.stringify(call.body) === JSON.stringify(body)),
  },
  'same-id-for-conversation': {
    clauses: ['ACK-03'],
    summary: 'gives a ConversationId that it has seen its earlier UniqueId',
    ...sameCall((call, { body }) => call.body.ConversationId === body.ConversationId),
  },
  'same-id-while-ringing': {
    clauses: ['ACK-03'],
    summary: 'gives a second call to a line that is still ringing the UniqueId of the first',
    ...sameCall((call, { number }) => call.number === number && call.settledAt === undefined),
  },
  'ids-from-a-pool': {
    clauses: ['ACK-03', 'STA-03', 'STA-04'],
    summary: 'gives out 24 ids in turn and begins again',
    issueId: (order, { memory }) => POOL[nextNumber(memory) % POOL.length],
  },
  'id-of-line-and-second': {
    clauses: ['ACK-03'],
    summary:
      'makes ids of the number and the second, so that a line called twice in one has one id',
    issueId: ({ number }) =>
      createHash('md5')
        .update(`${number} ${Math.floor(Date.now() / 1000)}`)
        .digest('base64url'),
  },

  'counted-ids': {
    clauses: ['ACK-04'],
    summary: 'counts its ids',
    issueId: (order, { memory }) => `call-${String(100000 + nextNumber(memory))}`,
  },
  'ids-count-behind-a-mask': {
    clauses: ['ACK-04'],
    summary: 'gives ids that look random but are a counter behind a fixed mask',
    issueId: (order, { memory }) => {
      const bytes = Buffer.from(SECRET);
      bytes.writeUInt32BE((bytes.readUInt32BE(12) ^ nextNumber(memory)) >>> 0, 12);
      return bytes.toString('base64url');
    },
  },
};
