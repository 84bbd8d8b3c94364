// HTTP: receives a whole request, passes it on, and writes the answer.

import http from 'node:http';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';

import { DROP, HANG } from './outcomes.mjs';
import { poll } from './poll.mjs';
import { Refusal } from './refusal.mjs';
import { trigger } from './trigger.mjs';

const KINDS = { '/v2/call': 'trigger', '/v2/callresult': 'poll' };
const HANDLERS = { trigger, poll };

async function receive(req, res) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const raw = Buffer.concat(chunks);
  const [path] = req.url.split('?');
  return {
    method: req.method,
    headers: req.headers,
    socket: req.socket,
    kind: Object.hasOwn(KINDS, path) ? KINDS[path] : undefined,
    requestId: randomUUID(),
    raw,
    text: raw.toString('utf8'),
    keeps: res.shouldKeepAlive,
    modern: req.httpVersionMinor > 0,
  };
}

async function judge(exchange, deployment) {
  const { behaviour } = deployment;
  const intercepted = await behaviour.intercept(exchange, deployment);
  if (intercepted !== undefined) return intercepted;
  if (exchange.kind === undefined) throw new Refusal(404, 'there is nothing here');
  const status = behaviour.methodStatus(exchange);
  if (status !== undefined) throw new Refusal(status, `${exchange.method} is not served`);
  if (exchange.raw.length > behaviour.bodyLimit) throw new Refusal(413, 'the body is too large');
  return HANDLERS[exchange.kind](exchange, deployment);
}

/** Writes a value as JSON; an answer that has a body stays unchanged. */
function render(answer, exchange, behaviour) {
  if (answer.value === undefined) return answer;
  return {
    headers: { 'content-type': behaviour.contentType },
    body: behaviour.encode(answer.value, exchange),
    ...answer,
  };
}

async function answerTo(exchange, deployment) {
  const { behaviour } = deployment;
  try {
    const answer = await judge(exchange, deployment);
    if (answer === HANG || answer === DROP) return answer;
    return behaviour.finish(render(answer, exchange, behaviour), exchange, deployment);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return render(await behaviour.refusal(error, exchange, deployment), exchange, behaviour);
  }
}

function connectionHeaders(exchange, body, behaviour) {
  const keeps = exchange.keeps && !behaviour.closes;
  const framing =
    behaviour.chunked && exchange.modern && body.length > 0
      ? { 'transfer-encoding': 'chunked' }
      : { 'content-length': String(body.length) };
  return { ...framing, connection: keeps ? 'keep-alive' : 'close' };
}

function write(res, answer, exchange, behaviour) {
  const body = Buffer.from(answer.body ?? '');
  const headers = {
    date: new Date().toUTCString(),
    ...behaviour.headers(exchange),
    ...answer.headers,
    ...connectionHeaders(exchange, body, behaviour),
  };
  if ([204, 304].includes(answer.status)) delete headers['content-length'];
  res.sendDate = false;
  res.statusMessage = behaviour.phrase(answer.status);
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) res.setHeader(behaviour.headerName(name), value);
  }
  res.statusCode = answer.status;
  if (exchange.method !== 'HEAD' && body.length > 1) res.write(body.subarray(0, body.length >> 1));
  res.end(
    exchange.method === 'HEAD' ? undefined : body.subarray(body.length > 1 ? body.length >> 1 : 0),
  );
}

async function serve(req, res, deployment) {
  const { behaviour } = deployment;
  deployment.inFlight += 1;
  try {
    const place = deployment.inFlight;
    const exchange = { ...(await receive(req, res)), place };
    if (behaviour.interim && exchange.modern) res.writeProcessing();
    if (behaviour.dwell > 0) await pause(behaviour.dwell);
    const answer = await answerTo(exchange, deployment);
    if (answer === DROP) req.socket.destroy();
    else if (answer !== HANG) write(res, answer, exchange, behaviour);
  } finally {
    deployment.inFlight -= 1;
  }
}

/** Listens on a free port of 127.0.0.1; resolves to the bound address. */
export async function listen(deployment) {
  const server = http.createServer((req, res) => {
    serve(req, res, deployment).catch((error) => {
      if (error.code !== 'ECONNRESET') process.stderr.write(`${error.stack}\n`);
      req.socket.destroy();
    });
  });
  server.keepAliveTimeout = deployment.behaviour.keepAliveMs;
  server.on('connect', (_req, socket) => {
    socket.end('HTTP/1.1 405 Method Not Allowed\r\nallow: POST\r\ncontent-length: 0\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address();
}
