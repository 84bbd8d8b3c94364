// Reads a trigger, checks its credentials, and places the call.

import { Refusal, demand, isObject, readJson } from './refusal.mjs';

const REQUIRED_TEXTS = [
  'Project',
  'Tenant',
  'ConversationId',
  'AccessToken',
  'ScenarioPath',
  'OrchestratorUrl',
];

const isText = (value) => typeof value === 'string';
const isFilled = (value) => isText(value) && value !== '';

function isWebAddress(value) {
  try {
    return isText(value) && ['http:', 'https:'].includes(new URL(value).protocol);
  } catch {
    return false;
  }
}

function readParameters(list) {
  demand(Array.isArray(list), 'ScenarioInputParameters must be a list');
  for (const entry of list) {
    demand(isObject(entry) && isText(entry.Name), 'a parameter needs a Name');
    demand(isText(entry.Value), 'a parameter needs a Value that is a string');
  }
  const parameters = new Map(list.map(({ Name, Value }) => [Name, Value]));
  demand(isFilled(parameters.get('_DisplayNumber')), '_DisplayNumber is missing');
  demand(isFilled(parameters.get('_Destination')), '_Destination is missing');
  return parameters;
}

function readOrder(body, { nullIsAbsent }) {
  const optional = (owner, name, test) => {
    const value = owner[name];
    const absent = value === undefined || (value === null && nullIsAbsent);
    demand(absent || test(value), `${name} has the wrong type`);
    return absent ? undefined : value;
  };
  demand(isObject(body), 'the body is not a JSON object');
  for (const name of REQUIRED_TEXTS)
    demand(isFilled(body[name]), `${name} must be a non-empty string`);
  const parameters = readParameters(body.ScenarioInputParameters);
  const endUser = optional(body, 'EndUser', isObject) ?? {};
  for (const name of ['Name', 'Phone', 'Email']) optional(endUser, name, isText);
  return {
    body,
    number: parameters.get('_Destination'),
    locale: optional(body, 'Locale', isText),
    destination: optional(body, 'ResultDestination', isWebAddress),
    immediate:
      optional(body, 'SendResultImmediately', (value) => typeof value === 'boolean') ?? false,
  };
}

function checkCredentials(body, exchange, { behaviour, settings }) {
  const { Project, Tenant, AccessToken } = isObject(body) ? body : {};
  const knows =
    isText(AccessToken) && behaviour.tokenMatches(AccessToken, settings.access_token, exchange);
  if (!knows) throw new Refusal(401, 'the access token is not valid');
  if (!behaviour.projectMatches(Project, settings.project))
    throw new Refusal(403, 'the project is not yours');
  if (Tenant !== settings.tenant) throw new Refusal(403, 'the tenant is not known');
}

/** Logs a number that is not a line. */
function reportStranger(body, lines) {
  if (!isObject(body) || !Array.isArray(body.ScenarioInputParameters)) return;
  for (const entry of body.ScenarioInputParameters) {
    if (!isObject(entry) || entry.Name !== '_Destination' || !isFilled(entry.Value)) continue;
    if (!lines.has(entry.Value)) process.stderr.write(`STRANGER DIALLED ${entry.Value}\n`);
  }
}

/** Answers a trigger; throws a Refusal if it is not accepted. */
export async function trigger(exchange, deployment) {
  const { behaviour, lines } = deployment;
  const body = behaviour.amend(readJson(exchange.raw, behaviour.parse), deployment);
  reportStranger(body, lines);
  if (behaviour.credentialsFirst) checkCredentials(body, exchange, deployment);
  const order = readOrder(body, behaviour);
  const objection = await behaviour.objection(order, exchange, deployment);
  if (objection) throw new Refusal(422, objection);
  checkCredentials(body, exchange, deployment);
  demand(lines.has(order.number), 'the number is not served');
  const call = behaviour.knownCall(order, deployment) ?? deployment.place(order);
  await behaviour.beforeAck(call, exchange, deployment);
  return { status: behaviour.ackStatus(call), value: behaviour.ack(call, exchange), call };
}
