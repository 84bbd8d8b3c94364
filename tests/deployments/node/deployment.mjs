// The deployment's state: its settings, its calls, and the memory of its behaviour.
// front.mjs does HTTP; trigger.mjs and poll.mjs check requests.

import { Courier } from './courier.mjs';

/** Every accepted call, by UniqueId and in the order of acceptance. */
class Book {
  all = [];
  #byId = new Map();

  add(call) {
    this.all.push(call);
    this.#byId.set(call.id, call);
  }

  find(id) {
    return this.#byId.get(id);
  }

  get ringing() {
    return this.all.filter(({ settledAt }) => settledAt === undefined).length;
  }

  get last() {
    return this.all.at(-1);
  }
}

export class Deployment {
  book = new Book();
  memory = {};
  inFlight = 0;
  polls = 0;

  constructor(behaviour, settings) {
    this.behaviour = behaviour;
    this.settings = settings;
    this.lines = new Map(Object.entries(settings.lines));
    this.courier = new Courier(this);
  }

  /** Places the call; it settles and is reported later. */
  place(order) {
    const { behaviour, book, courier, settings } = this;
    const call = {
      ...order,
      id: behaviour.issueId(order, this),
      outcome: behaviour.outcome(order, this),
      state: '',
      acceptedAt: Date.now(),
      settledAt: undefined,
      reads: 0,
    };
    book.add(call);
    setTimeout(() => this.#settle(call), settings.ring_seconds * 1000 + behaviour.stateLag);
    courier.watch(call);
    return call;
  }

  #settle(call) {
    call.settledAt = Date.now();
    this.behaviour.settle(call, this);
  }
}
