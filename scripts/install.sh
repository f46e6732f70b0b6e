#!/bin/sh
# What `make install`, `make install-symbols` and `make uninstall` do; the Makefile gives the paths in the environment.
#
#   install.sh install     programs (stripped), library, header, man pages with one for each public call, schemas, service
#   install.sh symbols     what was stripped off, where gdb finds it by build id
#   install.sh uninstall   removes all of that
#
# PREFIX/share/pua/manifest lists each file that was put somewhere and each folder that was not there before. It grows with a second
# installation over the first, so that `uninstall` leaves neither's files.
set -eu
umask 022
cd "$(dirname "$0")/.."
share=$PREFIX/share/pua manifest=$DESTDIR$PREFIX/share/pua/manifest config=$SYSCONFDIR/pua/pua.conf
list=

fail() { echo "install: $1" >&2; exit 1; }
for path in PREFIX LIBDIR MANDIR SYSCONFDIR UNITDIR DEBUGDIR; do
  eval "value=\$$path"
  case $value in
    *[!A-Za-z0-9/._+~@:-]*) fail "$path=$value: make, sed and pkg-config do not all take such characters in a path" ;;
    /*) ;;
    *) fail "$path=$value: must be a path from the root on" ;;
  esac
done

note() { list="$list$1
"; }
save_list() {
  { [ ! -f "$manifest" ] || cat "$manifest"; printf '%s' "$list"; } | LC_ALL=C sort -u > "$manifest.new"
  mv "$manifest.new" "$manifest"
}
# folder PATH: makes it, and notes what of it was not there.
folder() {
  at=$1
  while [ "$at" != / ] && [ ! -d "$DESTDIR$at" ]; do note "$at/"; at=$(dirname "$at"); done
  mkdir -p "$DESTDIR$1"
}
# put MODE FILE PATH: a copy.
put() {
  folder "$(dirname "$3")"
  install -m "$1" "$2" "$DESTDIR$3"
  note "$3"
}
# filled MODE FILE PATH: a copy that names the folders of this installation.
filled() {
  folder "$(dirname "$3")"
  sed "s,@PREFIX@,$PREFIX,g; s,@SYSCONFDIR@,$SYSCONFDIR,g; s,@VERSION@,$VERSION,g; s,/usr/local/etc,$SYSCONFDIR,g; s,/usr/local/share/pua,$share,g" \
    "$2" > "$DESTDIR$3"
  chmod "$1" "$DESTDIR$3"
  note "$3"
}
link() {
  ln -sf "$1" "$DESTDIR$2"
  note "$2"
}
public_calls() { grep '^PUA_API' include/pua/pua.h | grep -oE '\b(pua_[a-z_]+|bind_pua)\(' | tr -d '(' | sort -u; }
# The loader's cache: only root can write it, and only of a real installation.
renew_cache() { [ -n "$DESTDIR" ] || [ "$(id -u)" != 0 ] || PATH=$PATH:/usr/sbin:/sbin ldconfig; }

do_install() {
  put 755 "$B/libpua.so.$SOVER" "$LIBDIR/libpua.so.$VERSION"
  $STRIP --strip-unneeded "$DESTDIR$LIBDIR/libpua.so.$VERSION"
  link "libpua.so.$VERSION" "$LIBDIR/libpua.so.$SOVER"
  link "libpua.so.$SOVER" "$LIBDIR/libpua.so"
  put 644 "$B/libpua.a" "$LIBDIR/libpua.a"
  $STRIP --strip-debug "$DESTDIR$LIBDIR/libpua.a"
  put 644 "$B/libpua.pc" "$LIBDIR/pkgconfig/libpua.pc"
  put 644 include/pua/pua.h "$PREFIX/include/pua/pua.h"
  put 755 "$B/puad" "$PREFIX/sbin/puad"
  put 755 "$B/puactl" "$PREFIX/bin/puactl"
  $STRIP "$DESTDIR$PREFIX/sbin/puad" "$DESTDIR$PREFIX/bin/puactl"
  filled 755 scripts/puadbctl "$PREFIX/sbin/puadbctl"
  for f in scripts/puadb/*.py; do put 644 "$f" "$share/puadb/${f##*/}"; done
  for f in db/*/*.sql; do put 644 "$f" "$share/$f"; done
  for f in man/*.[0-9]; do filled 644 "$f" "$MANDIR/man${f##*.}/${f##*/}"; done
  for call in $(public_calls); do
    printf '.so man3/libpua.3\n' > "$DESTDIR$MANDIR/man3/$call.3"
    note "$MANDIR/man3/$call.3"
  done
  filled 644 scripts/puad.service.in "$UNITDIR/puad.service"
  put 644 scripts/pua.conf.sample "$share/pua.conf.sample"
  folder "$SYSCONFDIR/pua"
  [ -f "$DESTDIR$config" ] || install -m 640 scripts/pua.conf.sample "$DESTDIR$config"
  save_list
  renew_cache
  echo "install: installed under $DESTDIR$PREFIX; the configuration is $DESTDIR$config"
}

do_symbols() {
  [ -f "$manifest" ] || fail "nothing is installed under $DESTDIR$PREFIX: make install comes first"
  for file in "$B/libpua.so.$SOVER" "$B/puad" "$B/puactl"; do
    id=$(readelf -n "$file" | sed -n 's/.*Build ID: *//p')
    [ -n "$id" ] || fail "$file has no build id"
    symbols=$DEBUGDIR/.build-id/$(echo "$id" | cut -c1-2)/$(echo "$id" | cut -c3-).debug
    folder "$(dirname "$symbols")"
    objcopy --only-keep-debug "$file" "$DESTDIR$symbols"
    chmod 644 "$DESTDIR$symbols"
    note "$symbols"
  done
  save_list
  echo "install: gdb finds the symbols under $DESTDIR$DEBUGDIR/.build-id"
}

do_uninstall() {
  [ -f "$manifest" ] || fail "nothing is installed under $DESTDIR$PREFIX: there is no $manifest"
  if [ -f "$DESTDIR$config" ]; then
    if cmp -s "$DESTDIR$config" "$DESTDIR$share/pua.conf.sample"; then rm -f "$DESTDIR$config"
    else echo "install: $DESTDIR$config was changed and stays"; fi
  fi
  was=$(LC_ALL=C sort -r "$manifest")   # what is in a folder stands behind the folder, so it goes first
  rm -f "$manifest"
  echo "$was" | while IFS= read -r path; do
    case $path in
      /*/) rmdir --ignore-fail-on-non-empty "$DESTDIR$path" 2>/dev/null || true ;;
      /*) rm -f "$DESTDIR$path" ;;
    esac
  done
  renew_cache
  echo "install: uninstalled from $DESTDIR$PREFIX"
}

case ${1:-} in
  install) do_install ;;
  symbols) do_symbols ;;
  uninstall) do_uninstall ;;
  *) echo "usage: install.sh install|symbols|uninstall" >&2; exit 2 ;;
esac
