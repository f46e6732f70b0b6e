// sim --seed N --runs N [--inputs N] [--trace]: runs seeds N, N+1, ...; prints coverage; exit 1 with the seed that failed.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "world.h"

using namespace pua;

// Prints one line for each legal pair of state and input, and how often it has occurred.
template <class State, class Input, class Counts, class Legal, class StateName, class InputName>
static void show(const Counts& counts, Legal is_legal, StateName state_name, InputName input_name, int& legal, int& met) {
  for (size_t s = 0; s < counts.size(); s++) {
    for (size_t i = 0; i < counts[s].size(); i++) {
      if (!is_legal(static_cast<State>(s), static_cast<Input>(i))) continue;
      uint64_t n = counts[s][i];
      legal++;
      met += n > 0;
      printf("  %-8s %-11s %12llu%s\n", state_name(static_cast<State>(s)), input_name(static_cast<Input>(i)),
             static_cast<unsigned long long>(n), n ? "" : "   never met");
    }
  }
}

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
  printf("  publications:\n");
  auto is_legal = [](State s, Input i) { return pua::legal(s, i); };
  show<State, Input>(totals.coverage, is_legal, pua::state_name, pua::input_name, legal, met);
  printf("  subscriptions:\n");
  show<sub::State, sub::Input>(totals.subscriptions, sub::legal, sub::state_name, sub::input_name, legal, met);
  bool covered = met == legal || runs < 5000;
  printf("%s - sim: %llu seeds, %llu inputs, %d of %d legal (state, input) pairs met\n", covered ? "ok" : "not ok",
         static_cast<unsigned long long>(totals.seeds), static_cast<unsigned long long>(totals.inputs), met, legal);
  return covered ? 0 : 1;
}
