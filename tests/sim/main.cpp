// sim --seed N --runs N [--inputs N] [--trace]: runs seeds N, N+1, ...; prints coverage; exit 1 with the seed that failed.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "world.h"

int main(int argc, char** argv) {
  uint64_t seed = 1, runs = 100;
  int inputs = 300;
  bool trace = false;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--trace")) trace = true;
    else if (i + 1 < argc && !strcmp(argv[i], "--seed")) seed = strtoull(argv[++i], nullptr, 10);
    else if (i + 1 < argc && !strcmp(argv[i], "--runs")) runs = strtoull(argv[++i], nullptr, 10);
    else if (i + 1 < argc && !strcmp(argv[i], "--inputs")) inputs = atoi(argv[++i]);
    else return fprintf(stderr, "usage: sim --seed N --runs N [--inputs N] [--trace]\n"), 2;
  }
  sim::Totals totals;
  for (uint64_t s = seed; s < seed + runs; s++) {
    sim::World world(s, trace);
    std::string failure = world.run(inputs, totals);
    if (!failure.empty()) {
      printf("not ok - sim seed %llu: %s\n", static_cast<unsigned long long>(s), failure.c_str());
      return 1;
    }
  }
  int legal = 0, met = 0;
  for (int s = 0; s < pua::kStates; s++) {
    for (int i = 0; i < pua::kInputs; i++) {
      if (!pua::legal(static_cast<pua::State>(s), static_cast<pua::Input>(i))) continue;
      uint64_t n = totals.coverage[static_cast<size_t>(s)][static_cast<size_t>(i)];
      legal++;
      met += n > 0;
      printf("  %-8s %-10s %12llu%s\n", pua::state_name(static_cast<pua::State>(s)), pua::input_name(static_cast<pua::Input>(i)),
             static_cast<unsigned long long>(n), n ? "" : "   never met");
    }
  }
  bool covered = met == legal || runs < 100;
  printf("%s - sim: %llu seeds, %llu inputs, %d of %d legal (state, input) pairs met\n", covered ? "ok" : "not ok",
         static_cast<unsigned long long>(totals.seeds), static_cast<unsigned long long>(totals.inputs), met, legal);
  return covered ? 0 : 1;
}
