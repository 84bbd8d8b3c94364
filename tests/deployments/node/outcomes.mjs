// What may happen to a request instead of an answer.

export const HANG = Symbol('never answer');
export const DROP = Symbol('close the connection without an answer');
