// The outcomes of a request that has no answer.

export const HANG = Symbol('never answer');
export const DROP = Symbol('close the connection without an answer');
