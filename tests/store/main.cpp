// Unit tests of the store.
#include <string>

#include <CppUTest/CommandLineTestRunner.h>
#include <CppUTest/MemoryLeakWarningPlugin.h>

int main(int argc, char** argv) {
  MemoryLeakWarningPlugin::turnOffNewDeleteOverloads();  // leaks are AddressSanitizer's business
  return CommandLineTestRunner::RunAllTests(argc, argv);
}
