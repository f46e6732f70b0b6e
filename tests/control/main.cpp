// Runs the unit tests of the control interface.
#include <csignal>

#include "CppUTest/CommandLineTestRunner.h"
#include "CppUTest/MemoryLeakWarningPlugin.h"

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);  // as puad does: reply FIFOs may lose their reader
  MemoryLeakWarningPlugin::turnOffNewDeleteOverloads();
  return CommandLineTestRunner::RunAllTests(argc, argv);
}
