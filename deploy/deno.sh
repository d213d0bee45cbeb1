#!/bin/sh
# Runs a command under Deno with exactly the permissions that it needs for the settings in the environment: its own
# servers, variables and files, nothing else. What is refused ends the process and is named.
#
# usage: deno.sh run-ingest; ACTORS=kline deno.sh run-workers
set -eu

cd "$(dirname "$0")/.."
deno=$(command -v deno || echo .tools/deno/node_modules/deno/deno)
if ! [ -x "$deno" ]; then
  echo 'Cannot find Deno: run "make install-deno", or put deno on PATH' >&2
  exit 1
fi

# To tell them it reads all variables, and reaches nothing.
permissions=$("$deno" run --no-prompt --allow-env --allow-sys=hostname src/main.ts permissions "$1")
# One argument a line; paths may have spaces.
IFS='
'
set -f
# shellcheck disable=SC2086
exec "$deno" run $permissions src/main.ts "$1"
