// Unit tests of the store. With --write-machines ROOT it makes the table of the session with MariaDB anew instead.
#include <cstring>
#include <string>

#include "tests/store/mysql_session_rig.h"

#include <CppUTest/CommandLineTestRunner.h>
#include <CppUTest/MemoryLeakWarningPlugin.h>

int main(int argc, char** argv) {
  MemoryLeakWarningPlugin::turnOffNewDeleteOverloads();  // leaks are AddressSanitizer's business
  if (argc == 3 && strcmp(argv[1], "--write-machines") == 0) {
    std::string header = std::string(argv[2]) + "/" + pua::test::kSessionHeader;
    return pua::test::write_file(header, pua::test::with_session_table(pua::test::read_file(header))) ? 0 : 1;
  }
  return CommandLineTestRunner::RunAllTests(argc, argv);
}
