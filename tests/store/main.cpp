// Unit tests of the store. With --write-machines ROOT it makes the table of the session with MariaDB anew instead; with --answer it
// answers what the tests in tests/scripts ask (answers.h).
#include <cstring>
#include <iostream>
#include <string>

#include "tests/store/answers.h"
#include "tests/store/mysql_session_rig.h"

#include <CppUTest/CommandLineTestRunner.h>
#include <CppUTest/MemoryLeakWarningPlugin.h>

int main(int argc, char** argv) {
  MemoryLeakWarningPlugin::turnOffNewDeleteOverloads();  // leaks are AddressSanitizer's business
  if (argc == 3 && strcmp(argv[1], "--write-machines") == 0) {
    std::string header = std::string(argv[2]) + "/" + pua::test::kSessionHeader;
    return pua::test::write_file(header, pua::test::with_session_table(pua::test::read_file(header))) ? 0 : 1;
  }
  if (argc == 2 && strcmp(argv[1], "--answer") == 0) {
    pua::test::answer(std::cin, std::cout);
    return 0;
  }
  return CommandLineTestRunner::RunAllTests(argc, argv);
}
