#!/usr/bin/env bash
# Installs what is missing on a fresh Debian machine to build Thalweg and to run every client suite of
# broker/tests/clients. What is there already is left alone, whatever its version.
set -euo pipefail

have() { command -v "$1" > /dev/null 2>&1; }

packages=()
want() { have "$1" || packages+=("$2"); }

# To build: a C and C++ toolchain for librdkafka and zstd.
want cc build-essential
want make build-essential
want c++ build-essential
# The suites.
want kcat kcat
want mvn maven
want go golang-go
want python3 python3
want node nodejs
want npm npm
# On Debian, Python's venv lacks ensurepip until this is there.
python3 -c 'import venv, ensurepip' > /dev/null 2>&1 || packages+=(python3-venv)

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

if ! have javac || [ "${#packages[@]}" -gt 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  as_root apt-get update -qq
  if ! have javac; then
    # 17 is the oldest that Kafka's tools run on; releases that no longer have it bring a newer one.
    if apt-cache show openjdk-17-jdk-headless > /dev/null 2>&1; then packages+=(openjdk-17-jdk-headless); else packages+=(default-jdk-headless); fi
  fi
  mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
  echo "installing: ${packages[*]}"
  as_root apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

# A Go older than this cannot fetch the newer toolchain that go.mod asks for. Debian 12 has a newer one in its backports.
go_version=$(go env GOVERSION | sed 's/^go//')
if [ "$(printf '%s\n1.21\n' "$go_version" | sort -V | head -1)" != 1.21 ]; then
  . /etc/os-release
  backports=$VERSION_CODENAME-backports
  echo "Go $go_version is older than 1.21; installing the one of $backports"
  if ! apt-cache policy | grep -q "n=$backports"; then
    echo "adding $backports to /etc/apt/sources.list.d/$backports.list"
    echo "deb http://deb.debian.org/debian $backports main" | as_root tee "/etc/apt/sources.list.d/$backports.list" > /dev/null
    as_root apt-get update -qq
  fi
  as_root apt-get install -y -qq --no-install-recommends -t "$backports" golang-go \
    || { echo "Go $go_version is too old for the Go suites: install 1.21 or newer" >&2; exit 1; }
fi

echo "toolchains: $(java -version 2>&1 | head -1); $(go version); $(python3 --version); node $(node --version); $(kcat -V | sed -n 's/^Version \([^ ]*\).*/kcat \1/p')"
