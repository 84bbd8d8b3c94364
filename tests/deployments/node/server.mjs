// The command line: the dialect, the fault, start and end. front.mjs serves requests, natural.mjs decides.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { Deployment } from './deployment.mjs';
import { FAULTS } from './faults.mjs';
import { listen } from './front.mjs';
import { natural } from './natural.mjs';
import { DIALECTS } from './dialects.mjs';

const OPTIONS = {
  settings: { type: 'string' },
  dialect: { type: 'string', default: 'natural' },
  fault: { type: 'string' },
  list: { type: 'boolean', default: false },
};

function listing() {
  return {
    dialects: Object.entries(DIALECTS).map(([name, { summary }]) => ({ name, summary })),
    faults: Object.entries(FAULTS).map(([name, { clauses, summary }]) => ({
      name,
      clauses,
      summary,
    })),
  };
}

function pick(table, name, kind) {
  if (name === undefined) return {};
  if (!Object.hasOwn(table, name)) throw new Error(`there is no ${kind} ${name}; see --list`);
  return table[name];
}

async function start(values) {
  if (values.settings === undefined) throw new Error('--settings FILE is needed');
  const behaviour = {
    ...natural,
    ...pick(DIALECTS, values.dialect, 'dialect'),
    ...pick(FAULTS, values.fault, 'fault'),
  };
  const settings = JSON.parse(readFileSync(values.settings, 'utf8'));
  const { port } = await listen(new Deployment(behaviour, settings));
  process.on('SIGTERM', () => process.exit(0));
  process.stdin
    .on('end', () => process.exit(0))
    .on('error', () => process.exit(0))
    .resume();
  process.stdout.write(`listening on http://127.0.0.1:${port}\n`);
}

try {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.list) process.stdout.write(`${JSON.stringify(listing(), null, 2)}\n`);
  else await start(values);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
