// Unit tests of the engine and what it is made of.
#include <string>
#include <vector>

#include <CppUTest/CommandLineTestRunner.h>
#include <CppUTest/MemoryLeakWarningPlugin.h>

int main(int argc, char** argv) {
  MemoryLeakWarningPlugin::turnOffNewDeleteOverloads();  // leaks are AddressSanitizer's business
  return CommandLineTestRunner::RunAllTests(argc, argv);
}
