#!/bin/sh
# Installs the Debian packages that building and testing need, if any is missing. Does nothing, quickly, when all are there.
set -eu
packages="g++ gcc make patch openssl pkg-config libevent-dev libsofia-sip-ua-dev libsqlite3-dev libxml2-dev libjansson-dev cpputest
libxml2-utils sqlite3 mandoc python3 sip-tester clang libclang-rt-14-dev faketime
kamailio kamailio-presence-modules kamailio-sqlite-modules kamailio-extra-modules kamailio-mysql-modules
mariadb-server mariadb-client"
missing=
for p in $packages; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
echo "deps: installing$missing"
sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
export DEBIAN_FRONTEND=noninteractive
# A policy that keeps package scripts from starting the servers they bring: tests start their own.
policy=/usr/sbin/policy-rc.d made=
if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null; $sudo chmod 755 $policy; made=1; fi
trap '[ -z "$made" ] || $sudo rm -f $policy' EXIT
$sudo apt-get -qq update || true
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
