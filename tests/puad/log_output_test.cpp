// LogOutput: what stands before a line on stderr.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <string>

#include "puad/log_output.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(LogOutput) {
  int saved = -1, ends[2] = {-1, -1};
  struct stat pipe_ {};

  void setup() override {
    saved = dup(STDERR_FILENO);
    LONGS_EQUAL(0, pipe(ends));
    dup2(ends[1], STDERR_FILENO);
    fstat(STDERR_FILENO, &pipe_);
  }
  void teardown() override {
    unsetenv("JOURNAL_STREAM");
    dup2(saved, STDERR_FILENO);
    for (int fd : {saved, ends[0], ends[1]}) close(fd);
  }
  std::string line_with(const std::string& journal_stream) {
    setenv("JOURNAL_STREAM", journal_stream.c_str(), 1);
    LogOutput output(LogOutput::To::Stderr, "daemon");
    output.sink()(LogLevel::warning, "hello");
    char text[200];
    ssize_t n = read(ends[0], text, sizeof text);
    return std::string(text, n > 0 ? static_cast<size_t>(n) : 0);
  }
  std::string stream(unsigned long long device, unsigned long long inode) { return std::to_string(device) + ":" + std::to_string(inode); }
};

TEST(LogOutput, the_journal_gets_a_priority_and_no_time) {
  STRCMP_EQUAL("<4>hello\n", line_with(stream(pipe_.st_dev, pipe_.st_ino)).c_str());
}

// Inherited from a service whose stderr went to the journal, while ours goes into a file.
TEST(LogOutput, another_stream_than_stderr_is_no_journal) {
  for (const std::string& other : {stream(pipe_.st_dev, pipe_.st_ino + 1), stream(pipe_.st_dev + 1, pipe_.st_ino), std::string("1:2"),
                                   std::string(""), std::string("nonsense"), stream(pipe_.st_dev, pipe_.st_ino) + "x"}) {
    std::string line = line_with(other);
    CHECK_TEXT(isdigit(static_cast<unsigned char>(line[0])), line.c_str());
    STRCMP_CONTAINS(" warning: hello\n", line.c_str());
  }
}
