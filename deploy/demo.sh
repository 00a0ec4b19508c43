#!/bin/sh
# The demo, from nothing: sets everything up, then plays a province's day through the bus.
# `sh deploy/demo.sh --help` lists the options.
set -eu
project=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$project/deploy/setup.sh"
setup
cd "$project"
exec "$python" -m deploy.demo "$@"
