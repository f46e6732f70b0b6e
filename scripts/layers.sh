#!/bin/sh
# Fails on an include that goes against the direction:
#   base <- core <- {events, sip, store, loop} <- api <- control <- puad;  base <- config <- {api, control, puad};  base <- puactl
set -eu
cd "$(dirname "$0")/.."
allowed() {
  case $1 in
    base) echo "base" ;;
    core) echo "base core" ;;
    events|sip|store|loop) echo "base core $1" ;;
    config) echo "base config" ;;
    api) echo "base core events sip store loop config api pua" ;;
    control) echo "base core events config api control pua" ;;
    puad) echo "base core events loop config api control puad pua" ;;
    puactl) echo "base puactl pua" ;;
  esac
}
bad=0
for dir in src/*/; do
  room=$(basename "$dir")
  ok=$(allowed "$room")
  [ -n "$ok" ] || { echo "layers: src/$room is no room that this script knows"; bad=1; continue; }
  [ -f "$dir/README.md" ] || { echo "layers: src/$room has no README.md"; bad=1; }
  for inc in $(grep -hoE '^#include "[a-z_]+/[^"]+"' "$dir"*.cpp "$dir"*.h 2>/dev/null | sed 's/#include "//; s,/.*,,' | sort -u); do
    case " $ok " in
      *" $inc "*) ;;
      *) grep -nE "^#include \"$inc/" "$dir"*.cpp "$dir"*.h | sed "s/^/layers: $room may not include $inc: /"; bad=1 ;;
    esac
  done
done
# The core is pure, and the examples know the public header only.
if grep -nE '#include <(event2|sofia-sip|sqlite3|libxml|sys/socket|time\.h|chrono)' src/core/*.cpp src/core/*.h; then echo "layers: core is pure"; bad=1; fi
if grep -nE '#include ([<"](mysql\.h|event2|time\.h|chrono|sys/socket)|"store/(mono|mysql_conn|mysql_home)\.h)' src/store/mysql_session*; then echo "layers: the session with MariaDB is pure"; bad=1; fi
if grep -nE '#include "' examples/*.c; then echo "layers: examples include <pua/pua.h> only"; bad=1; fi
# What writes the fields of a machine stands beside its step().
if grep -nE '(^|[^a-z_])(s\.)?[mp]\.[a-z_]+ *[-+|&]?= *[^=]' src/core/subscription_*.cpp src/core/subscription_*.h src/core/publications*.cpp src/core/subscriptions*.cpp |
   grep -vE 's\.m\.[a-z_]+ *[<>=!]=|^[^:]*:[0-9]+: *//'; then echo "layers: fields of a machine are written in subscription.cpp and publication.cpp only"; bad=1; fi
programs=$(git ls-files -s tests scripts 2>/dev/null | sed -n 's/^100755 [^\t]*\t//p')  # whatever their suffix
for f in $(git ls-files 'src/*.cpp' 'src/*.h' 'include/*.h' 'tests/*.cpp' 'tests/*.h' 'tests/*.py' 2>/dev/null; echo "$programs"); do
  lines=$(wc -l < "$f")
  if [ "$lines" -gt 600 ] && ! head -5 "$f" | grep -q 'Over 600 lines because'; then echo "layers: $f has $lines lines and gives no reason"; bad=1; fi
done
[ "$bad" = 0 ] && echo "layers: includes point one way"
exit $bad
