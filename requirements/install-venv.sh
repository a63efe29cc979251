#!/bin/sh
# Debian ships python3 without venv; root installs it, others are told.
set -eu
python=$1 venv=$2
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
    rm -rf "$venv"
    exec "$python" -m venv "$venv"
fi
echo "$python has no venv module; as root: apt-get install python3-venv" >&2
exit 1
