# Sourced by demo.sh and test.sh, which set `project` to the project's folder.
# `setup` makes .venv with what the bus needs, `setup dev` adds what its tests need; when nothing
# has changed since the last time, either takes no time. Where packages come from is pip's own
# configuration.

venv=$project/.venv
python=$venv/bin/python

say() { printf '==> %s\n' "$*" >&2; }
fail() { printf 'Cannot go on: %s\n' "$*" >&2; exit 1; }

# Whether missing system packages can be installed here.
may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

install_packages() {
    say "installing from the system's packages: $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update >/dev/null || say "the list of packages could not be refreshed"
    apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" >/dev/null
}

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# Prints the first Python that is new enough.
find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if is_recent "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

make_venv() {
    if ! base=$(find_python); then
        if may_install; then install_packages python3 python3-venv || true; fi
        base=$(find_python) ||
            fail "Python 3.11 or newer is needed: an administrator installs the packages python3 and python3-venv."
    fi
    if ! "$base" -c 'import ensurepip, venv' 2>/dev/null; then
        package=$("$base" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        if may_install; then install_packages "$package" || true; fi
        "$base" -c 'import ensurepip, venv' 2>/dev/null ||
            fail "this Python cannot make virtual environments: an administrator installs the package $package."
    fi
    say "creating a virtual environment in .venv"
    "$base" -m venv "$@" "$venv"
}

# What the installed packages depend on: a change of any of it means installing again.
fingerprint() {
    cat "$project/pyproject.toml" "$project/deploy/constraints.txt" | cksum
    "$python" -V
}

install_project() {
    say "installing Python packages into .venv (the first time this takes a minute or two)"
    rm -f "$venv"/setup-*.stamp
    (cd "$project" && "$python" -m pip install -qq --no-input --disable-pip-version-check \
        --constraint deploy/constraints.txt --editable "$1") ||
        fail "the Python packages could not be installed (pip says why above): check that pip reaches a package index from here."
}

setup() {
    # One at a time in this folder; the lock ends with the subshell.
    mkdir -p "$project/.state"
    (
        if command -v flock >/dev/null; then flock 9; fi
        prepare "$@" 9>&-
    ) 9>"$project/.state/setup.lock"
}

prepare() {
    kind=${1:-run}
    # A virtual environment does not survive being copied or moved: its scripts name their folder.
    if [ -f "$venv/made-for" ] && [ "$(cat "$venv/made-for")" != "$project" ]; then
        make_venv --clear
    elif ! is_recent "$python" || ! "$python" -m pip --version >/dev/null 2>&1; then
        make_venv
    fi
    printf '%s\n' "$project" >"$venv/made-for"
    now=$(fingerprint)
    if [ "$now" = "$(cat "$venv/setup-$kind.stamp" 2>/dev/null)" ]; then return; fi
    if [ "$kind" = dev ]; then install_project ".[dev]"; else install_project .; fi
    printf '%s\n' "$now" >"$venv/setup-run.stamp"
    if [ "$kind" = dev ]; then printf '%s\n' "$now" >"$venv/setup-dev.stamp"; fi
}
