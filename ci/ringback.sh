#!/bin/sh
# Runs Ringback in a pipeline, from any shell: ci/ringback.sh DIRECTORY check|load|gate [OPTION...]
#
# DIRECTORY gets the run's reports; options are those of the command (see: ringback gate --help). The access token is
# read from RINGBACK_ACCESS_TOKEN and never put on a command line. Ends with Ringback's exit code: 0 held, 1 broken,
# 2 usage or configuration, 3 no verdict, 130 interrupted.
#
# Uses the ringback that is installed; from a checkout without one, makes the checkout's own .venv first.
set -eu

usage() {
  echo "usage: ci/ringback.sh DIRECTORY check|load|gate [OPTION...]" >&2
  exit 2
}

[ $# -ge 2 ] || usage
directory=$1
command=$2
shift 2
case $command in
  check | load | gate) ;;
  *) usage ;;
esac
case $directory in
  '' | -*) usage ;;
esac

checkout=$(CDPATH='' cd "$(dirname "$0")/.." && pwd)
if command -v ringback >/dev/null 2>&1; then
  ringback=ringback
else
  ringback=$checkout/.venv/bin/ringback
  if [ ! -x "$ringback" ]; then
    python3 -m venv "$checkout/.venv"
    "$checkout/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
      -r "$checkout/requirements.lock"
    "$checkout/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
      "$checkout"
  fi
fi

# What a deployment answers is printed, too: a GitHub runner must not take a line of it for a command.
if [ "${GITHUB_ACTIONS:-}" = true ]; then
  pause=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  echo "::stop-commands::$pause"
  trap 'echo "::$pause::"' EXIT
fi

code=0
"$ringback" "$command" --no-color --force --out "$directory" "$@" || code=$?

if [ "$code" -ne 2 ]; then
  for promised in verdict.json junit.xml summary.md; do
    [ -s "$directory/$promised" ] || echo "ringback.sh: $directory/$promised was not written" >&2
  done
fi
# A verdict needs its evidence: without it, the deployment is neither blamed nor praised.
if [ "$code" -le 1 ] && [ ! -s "$directory/verdict.json" ]; then
  code=3
fi
exit "$code"
