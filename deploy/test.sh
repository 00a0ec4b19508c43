#!/bin/sh
# Every check of the project, from nothing: style, types, import contracts, tests on a real
# RabbitMQ and PostgreSQL of their own, PHP as a foreign client, Chromium for the console. Arguments are pytest's.
# Status 0 only if all of it holds.
set -eu
project=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$project/deploy/setup.sh"
setup dev
cd "$project"

missing_packages() {
    "$python" -c 'from deploy.services import Chromium, Php, PostgreSQL, RabbitMQ
print(*(s.package for s in (RabbitMQ, PostgreSQL, Php, Chromium) if not s.installed()))'
}

missing=$(missing_packages)
if [ -n "$missing" ] && may_install; then
    # shellcheck disable=SC2086  # one word per package
    install_packages $missing || say "they could not be installed"
    missing=$(missing_packages)
fi
if [ -z "$missing" ]; then
    export LGSP_REQUIRE_SERVICES=1
else
    say "not installed here: $missing; an administrator installs them, until then the tests that need them do not run."
fi

failed=
step() {
    name=$1
    shift
    began=$(date +%s)
    if "$@"; then verdict=ok; else verdict=FAILED failed="$failed, $name"; fi
    say "$name: $verdict, $(($(date +%s) - began)) s"
}

step "style" "$python" -m ruff check .
step "format" "$python" -m ruff format --check .
step "types" "$python" -m mypy schemas routing adapters bus deploy tests
step "import contracts" "$venv/bin/lint-imports"
status=0
tests() { "$python" -m pytest "$@" || status=$?; }
requests="tests/integration/test_schemathesis.py"
heavy="tests/proof tests/integration/test_bench.py tests/integration/test_bench_doors.py"
# shellcheck disable=SC2046,SC2086  # one word per path
if [ $# -gt 0 ]; then
    tests "$@"
else # three at once, for they wait more than they compute, each file in one process; those that
    # kill or measure behind the others
    tests --numprocesses 3 --dist loadfile $(printf -- '--ignore=%s ' $heavy $requests)
    tests --numprocesses 2 --dist loadfile $heavy
    # what it asks is made of the constants of all loaded modules: alone they are always the same
    tests -p no:randomly $requests
fi
if [ -n "$failed" ]; then
    say "failed before the tests: ${failed#, }"
    [ "$status" != 0 ] || status=1
fi
exit "$status"
