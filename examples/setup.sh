# Sourced by the scripts beside it and by tests/run.sh: sets up speid in .venv and activates it.
# usage: setup_speid EXTRA[,EXTRA...]

say() { printf '%s\n' "$*" >&2; }

need_bedtools() {
    command -v bedtools > /dev/null && return
    say "bedtools is missing: installing it"
    if command -v apt-get > /dev/null && [ "$(id -u)" = 0 ]; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq bedtools > /dev/null
    elif command -v conda > /dev/null; then
        conda install -y -q -c conda-forge -c bioconda bedtools
    else
        say "install it by: apt install bedtools, or: conda install -c bioconda bedtools"
        return 1
    fi
}

setup_speid() {
    need_bedtools || say "continuing without bedtools, which candidates --anchors, negatives, features, evaluate --tracks and prepare --exclude need"
    [ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
    # shellcheck disable=SC1091
    . .venv/bin/activate
    say "installing speid into .venv"
    python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$1]"
}
