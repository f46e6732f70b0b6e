#include <string>
#include <vector>

#include <CppUTest/CommandLineTestRunner.h>
#include <CppUTest/MemoryLeakWarningPlugin.h>

int main(int argc, char** argv) {
  MemoryLeakWarningPlugin::turnOffNewDeleteOverloads();  // C libraries are involved: AddressSanitizer looks for leaks
  return CommandLineTestRunner::RunAllTests(argc, argv);
}
