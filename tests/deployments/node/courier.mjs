// Sends results to the ResultDestination of their calls. The behaviour decides what is sent, when, and
// whether it is retried.

import http from 'node:http';
import https from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';

const CLIENTS = { 'http:': http, 'https:': https };
const PATIENCE_MS = 5000;
const PAUSES_MS = [150, 300, 600, 1200];

/** Sends one request; resolves to its status, or to 0 without an answer in time. */
export function send({ method, url, headers = {}, body }, patience = PATIENCE_MS) {
  return new Promise((resolve) => {
    const target = new URL(url);
    const request = CLIENTS[target.protocol].request(target, {
      method,
      headers,
      agent: false,
      signal: AbortSignal.timeout(patience),
    });
    request.on('response', (response) => {
      response
        .on('error', () => resolve(0))
        .on('end', () => resolve(response.statusCode))
        .resume();
    });
    request.on('error', () => resolve(0));
    request.end(body);
  });
}

export class Courier {
  #gathered = new Map();

  constructor(deployment) {
    this.deployment = deployment;
  }

  /** Sends the call's result later, if it has a destination. */
  watch(call) {
    const { behaviour } = this.deployment;
    if (call.destination === undefined) return;
    setTimeout(
      () => {
        if (behaviour.delivers(call, this.deployment)) this.#gather(call);
      },
      behaviour.deliveryDelay(call, this.deployment),
    );
  }

  #gather(call) {
    const { gatherMs } = this.deployment.behaviour;
    if (gatherMs === 0) {
      this.#bring([call]);
      return;
    }
    const waiting = this.#gathered.get(call.destination);
    if (waiting) {
      waiting.push(call);
      return;
    }
    this.#gathered.set(call.destination, [call]);
    setTimeout(() => {
      const calls = this.#gathered.get(call.destination);
      this.#gathered.delete(call.destination);
      this.#bring(calls);
    }, gatherMs);
  }

  async #bring(calls) {
    const { behaviour } = this.deployment;
    for (const parcel of behaviour.parcels(calls, this.deployment)) {
      const status = await this.#insist(parcel);
      for (const call of calls) behaviour.afterDelivery(call, status);
    }
  }

  async #insist(parcel) {
    const { behaviour } = this.deployment;
    for (const ms of PAUSES_MS) {
      const status = await send(parcel);
      if (!behaviour.retries(status)) return status;
      await pause(ms);
    }
    return send(parcel);
  }
}
