#!/bin/sh
# Line coverage by the unit tests and 1,000 simulation seeds, per room.
set -eu
cd "$(dirname "$0")/.."
make --no-print-directory -j2 V=coverage $(for r in tests/*/; do r=$(basename "$r"); ls tests/"$r"/*_test.cpp >/dev/null 2>&1 && echo "build/coverage/tests/$r/unit"; done) build/coverage/tests/sim/sim
find build/coverage -name '*.gcda' -delete
for t in build/coverage/tests/*/unit; do "$t" >/dev/null || echo "$t failed"; done
build/coverage/tests/sim/sim --runs 1000 >/dev/null
printf '%-10s %8s %8s %6s\n' room lines covered percent
for room in src/*/; do
  r=$(basename "$room")
  find "build/coverage/src/$r" -name '*.gcda' 2>/dev/null | xargs -r gcov -n 2>/dev/null |
    awk -v r="$r" -v dir="src/$r/" '/^File/{own=index($0, dir)>0} /^Lines executed/{if(own){split($2,a,":"); n=$4; t+=n; c+=n*a[2]/100; own=0}} END{if(t) printf "%-10s %8d %8d %5.1f%%\n", r, t, c, 100*c/t}'
done
