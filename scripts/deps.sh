#!/bin/sh
# Installs the Debian packages that are needed, if any is missing. Does nothing, quickly, when all are there.
#   deps.sh          what building and testing need
#   deps.sh build    what building needs
#   deps.sh demo     what building and the demo need
#   deps.sh style    what "make tidy" and "make format" need
# Where it cannot install (another system, no root and no sudo), it says what is missing, and whose work that is.
set -eu
build="g++ gcc make pkg-config libevent-dev libsofia-sip-ua-dev libc-ares-dev libssl-dev libsqlite3-dev libmariadb-dev libxml2-dev libjansson-dev python3"
server="kamailio kamailio-presence-modules kamailio-sqlite-modules"
tests="cpputest patch openssl libxml2-utils sqlite3 mandoc sip-tester clang libclang-rt-14-dev faketime git
$server kamailio-extra-modules kamailio-mysql-modules
mariadb-server mariadb-client galera-4 rsync lsof"
case ${1:-all} in
  build) packages=$build ;;
  demo) packages="$build $server" ;;
  style) packages="$build clang-tidy clang-format git" ;;
  all) packages="$build $tests" ;;
  *) echo "usage: deps.sh [build|demo|style]" >&2; exit 2 ;;
esac
say() { echo "deps: $*" >&2; }

# What building needs, looked for itself: on systems that have other packages, or none.
by_hand() {
  lacks=
  for program in "${CXX:-g++}" "${CC:-gcc}" pkg-config python3; do
    command -v "${program%% *}" >/dev/null 2>&1 || lacks="$lacks ${program%% *}"
  done
  modules=
  # Without pkg-config, nobody knows.
  command -v pkg-config >/dev/null 2>&1 && for module in sofia-sip-ua libcares libevent libssl libcrypto sqlite3 libmariadb libxml-2.0 jansson; do
    pkg-config --exists "$module" 2>/dev/null || modules="$modules $module"
  done
  [ -n "$lacks$modules" ] || return 0
  [ -z "$lacks" ] || say "these programs are missing:$lacks"
  [ -z "$modules" ] || say "these libraries are missing, by their pkg-config names:$modules"
  return 1
}

if ! command -v dpkg-query >/dev/null 2>&1; then
  if by_hand; then
    [ "${1:-all}" = build ] || say "this is no Debian, so what tests and demo need is not looked for; on Debian it would be:" $packages
    exit 0
  fi
  say "this is no Debian: install them as your system does it, with what compiling against them needs, and run make again."
  say "On Debian the packages would be: $build"
  exit 1
fi
missing=
for p in $packages; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
by_root="apt-get update && apt-get install --no-install-recommends$missing"
sudo=
if [ "$(id -u)" != 0 ]; then
  sudo=sudo
  if ! command -v sudo >/dev/null 2>&1; then
    say "these Debian packages are missing:$missing"
    say "This is not root, and there is no sudo. Have root run this, then run make again:"
    say "  $by_root"
    exit 1
  fi
fi
say "installing$missing"
# A policy that keeps package scripts from starting the servers they bring: tests start their own.
policy=/usr/sbin/policy-rc.d made=
# shellcheck disable=SC2317  # by the trap
done_with() {
  status=$?
  [ -z "$made" ] || $sudo rm -f $policy
  [ "$status" = 0 ] || { say "they could not be installed, see above. As root, then run make again:"; say "  $by_root"; }
}
trap done_with EXIT
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
  made=1
  $sudo chmod 755 $policy
fi
$sudo apt-get -qq update || true
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
# Nor are they to start by themselves when the machine does.
for service in kamailio mariadb; do
  case "$missing " in *" $service "*|*" $service-server "*) $sudo systemctl --quiet disable "$service" 2>/dev/null || true ;; esac
done
