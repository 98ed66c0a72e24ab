#!/bin/sh
# Makes or renews .venv from requirements.lock:   .ci/venv.sh [PYTHON]
# Checks first what the machine lacks, and says how to get it. Needs Python >= 3.11, and takes `uv` where there is one.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }
is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
has_uv() { uv --version >/dev/null 2>&1; }

find_python() {
    if [ -n "$1" ]; then
        is_new_enough "$1" && echo "$1" && return
        say "PYTHON=$1 is no Python >= 3.11."
        return 1
    fi
    for candidate in python3 python3.13 python3.12 python3.11 python; do
        is_new_enough "$candidate" && echo "$candidate" && return
    done
    has_uv && uv python find '>=3.11' 2>/dev/null && return
    say "Folio needs Python >= 3.11, and found none on the PATH as python3, python3.13, python3.12, python3.11 or python."
    say "  Debian, Ubuntu:  apt install python3 python3-venv     macOS:  brew install python@3.13"
    say "  or install uv and then:  uv python install 3.13"
    say "  One that stands elsewhere:  make PYTHON=/path/to/python3.13 ..."
    return 1
}

can_make_venvs() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    say "$1 cannot make virtual environments (its venv or ensurepip is missing)."
    say "  Debian, Ubuntu:  apt install python3-venv     or install uv, which needs neither"
    return 1
}

# The pinned uv and its hashes, cut out of the lock.
locked_uv() { sed -n '/^uv==/,/[^\\]$/p' requirements.lock; }

make_venv() {
    python=$(find_python "$1")
    if has_uv; then
        say "Making .venv with $("$python" --version) and uv"
        uv venv --quiet --clear --python "$(command -v "$python")" .venv
    else
        can_make_venvs "$python"
        say "Making .venv with $("$python" --version)"
        "$python" -m venv --clear .venv
    fi
}

find_uv() {
    has_uv && echo uv && return
    if [ ! -x .venv/bin/uv ]; then
        say "Installing uv into .venv"
        locked_uv >.venv/uv.txt
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt >&2
    fi
    echo .venv/bin/uv
}

is_new_enough .venv/bin/python || make_venv "${1:-}"
uv=$(find_uv)
say "Installing what requirements.lock names"
"$uv" pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock
"$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
