#!/bin/sh
# Installs the real servers that tests/servers/ runs on loopback. Only as root; no service is started.
set -eu
packages="bind9 bind9-dnsutils cloud-init debootstrap hcloud-cli iproute2 knot pdns-backend-sqlite3 pdns-server sqlite3 systemd"
missing=""
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "not installed:$missing (needs root and apt-get); their tests are skipped" >&2
    exit 0
fi
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then # package scripts ask it before they start a service: 101 is no
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086
apt-get install -q -y --no-install-recommends $missing
