#!/bin/sh
# Installs the Debian packages that are needed, if any is missing. Does nothing, quickly, when all are there.
#   deps.sh          what building and testing need
#   deps.sh build    what building needs
#   deps.sh style    what "make tidy" and "make format" need
set -eu
build="g++ gcc make pkg-config libevent-dev libsofia-sip-ua-dev libc-ares-dev libssl-dev libsqlite3-dev libmariadb-dev libxml2-dev libjansson-dev python3"
tests="cpputest patch openssl libxml2-utils sqlite3 mandoc sip-tester clang libclang-rt-14-dev faketime
kamailio kamailio-presence-modules kamailio-sqlite-modules kamailio-extra-modules kamailio-mysql-modules
mariadb-server mariadb-client galera-4 rsync lsof"
case ${1:-all} in
  build) packages=$build ;;
  style) packages="$build clang-tidy clang-format git" ;;
  all) packages="$build $tests" ;;
  *) echo "usage: deps.sh [build|style]" >&2; exit 2 ;;
esac
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
# Nor are they to start by themselves when the machine does.
for service in kamailio mariadb; do
  case $missing in *"$service "*|*"$service-server"*) $sudo systemctl --quiet disable "$service" 2>/dev/null || true ;; esac
done
