// Unit tests of the engine and what it is made of. With --write-machines ROOT it makes the tables of the machines anew instead.
#include <cstring>
#include <string>
#include <vector>

#include "tests/core/machine_tables.h"

#include <CppUTest/CommandLineTestRunner.h>
#include <CppUTest/MemoryLeakWarningPlugin.h>

int main(int argc, char** argv) {
  MemoryLeakWarningPlugin::turnOffNewDeleteOverloads();  // leaks are AddressSanitizer's business
  if (argc == 3 && strcmp(argv[1], "--write-machines") == 0) return pua::test::write_machine_tables(argv[2]) ? 0 : 1;
  return CommandLineTestRunner::RunAllTests(argc, argv);
}
