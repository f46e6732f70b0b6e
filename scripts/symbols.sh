#!/bin/sh
# The shared library exports the public header's functions and nothing else.
set -eu
cd "$(dirname "$0")/.."
lib=build/release/libpua.so
want=$(grep -oE '\b(pua_[a-z_]+|bind_pua)\(' include/pua/pua.h | tr -d '(' | sort -u)
have=$(nm -D --defined-only "$lib" | awk '$2=="T"||$2=="B"||$2=="D"||$2=="R"{print $3}' | sed 's/@.*//' | sort -u)
bad=0
for s in $have; do echo "$want" | grep -qx "$s" || { echo "symbols: $s is exported and not in the header"; bad=1; }; done
for s in $(grep -E '^PUA_API|^[a-z].*\bPUA_API\b' include/pua/pua.h | grep -oE '\b(pua_[a-z_]+|bind_pua)\(' | tr -d '(' | sort -u); do
  echo "$have" | grep -qx "$s" || { echo "symbols: $s is in the header and not exported"; bad=1; }
done
exit $bad
