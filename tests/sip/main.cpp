#include <string>
#include <vector>

#include <CppUTest/CommandLineTestRunner.h>
#include <CppUTest/MemoryLeakWarningPlugin.h>

// sofia's tls_free() (tport_tls.c of 1.12.11) never calls SSL_free(): each TLS connection loses its SSL object. Nothing of
// ours allocates in these two libraries.
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_suppressions();
const char* __lsan_default_suppressions() { return "leak:libssl.so\nleak:libcrypto.so\n"; }

int main(int argc, char** argv) {
  MemoryLeakWarningPlugin::turnOffNewDeleteOverloads();  // C libraries are involved: AddressSanitizer looks for leaks
  return CommandLineTestRunner::RunAllTests(argc, argv);
}
