// Runs the unit tests of the control interface. With --write-man FILE it writes the lists of metrics and statistics into that page instead.
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "config/man_page.h"
#include "control/metrics.h"

#include "CppUTest/CommandLineTestRunner.h"
#include "CppUTest/MemoryLeakWarningPlugin.h"

static int write_man(const char* path) {
  std::stringstream page;
  page << std::ifstream(path).rdbuf();
  auto filled = pua::fill_man_page(page.str(), "METRICS", pua::man_metrics());
  if (filled) filled = pua::fill_man_page(*filled, "STATISTICS", pua::man_statistics());
  if (!filled) {
    fprintf(stderr, "%s: %s\n", path, filled.error().message.c_str());
    return 1;
  }
  std::ofstream(path) << *filled;
  return 0;
}

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);  // as puad does: reply FIFOs may lose their reader
  MemoryLeakWarningPlugin::turnOffNewDeleteOverloads();
  if (argc == 3 && strcmp(argv[1], "--write-man") == 0) return write_man(argv[2]);
  return CommandLineTestRunner::RunAllTests(argc, argv);
}
