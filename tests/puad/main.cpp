#include <CppUTest/CommandLineTestRunner.h>
#include <CppUTest/MemoryLeakWarningPlugin.h>

int main(int argc, char** argv) {
  MemoryLeakWarningPlugin::turnOffNewDeleteOverloads();  // AddressSanitizer finds leaks, also those of C libraries
  return CommandLineTestRunner::RunAllTests(argc, argv);
}
