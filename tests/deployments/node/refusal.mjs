// Refusals, and the reading of JSON bodies; both endpoints use them.

/** Refuses a request with a status (4xx except for faults) and a detail for the client. */
export class Refusal extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** Refuses with 422 unless the condition holds. */
export function demand(condition, detail) {
  if (!condition) throw new Refusal(422, detail);
}

/** Whether the value is a JSON object. */
export function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The JSON value of a body; refuses a body that is not UTF-8 or not JSON, without quoting it. */
export function readJson(raw, parse = JSON.parse) {
  try {
    return parse(new TextDecoder('utf-8', { fatal: true }).decode(raw));
  } catch {
    throw new Refusal(422, 'the body is not JSON');
  }
}
