// Reads a poll and reports how the calls that it names have ended.

import { setTimeout as pause } from 'node:timers/promises';

import { Refusal, demand, isObject, readJson } from './refusal.mjs';

function readIds(body, { emptyListServed, batchLimit }) {
  demand(isObject(body), 'the body is not a JSON object');
  const ids = body.UniqueIds;
  demand(Array.isArray(ids), 'UniqueIds must be a list');
  demand(emptyListServed || ids.length > 0, 'UniqueIds is empty');
  demand(
    ids.every((id) => typeof id === 'string'),
    'UniqueIds must hold strings',
  );
  if (ids.length > batchLimit) throw new Refusal(413, `more than ${batchLimit} ids`);
  return ids;
}

function entryFor({ id, call }, selected, deployment) {
  const { behaviour } = deployment;
  if (call === undefined) return behaviour.unknownEntry(id, selected);
  const state = behaviour.stateOf(call, deployment);
  call.reads += 1;
  return state === ''
    ? behaviour.pendingEntry(id, call, selected)
    : behaviour.entry(id, state, call);
}

/** Answers a poll; throws a Refusal if it is malformed. */
export async function poll(exchange, deployment) {
  const { behaviour } = deployment;
  const ids = readIds(behaviour.amendPoll(readJson(exchange.raw), deployment), behaviour);
  if (behaviour.pollLag > 0) await pause(behaviour.pollLag);
  deployment.polls += 1;
  const selected = behaviour.select(ids, deployment, exchange);
  behaviour.review(selected);
  const entries = selected
    .map((choice) => entryFor(choice, selected, deployment))
    .filter((entry) => entry !== undefined);
  const arranged = behaviour.arrange(entries, selected, ids);
  return {
    status: behaviour.pollStatus(arranged, selected),
    value: behaviour.results(arranged, selected),
  };
}
