// Rig of the control transports: a datagram socket and a FIFO on a real event_base, clients, and what the log says.
#pragma once

#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "control/control.h"
#include "control/dgram.h"
#include "control/fifo.h"
#include "tests/control/fake_instance.h"

#include "CppUTest/TestHarness.h"

namespace pua::test {

inline constexpr const char* kVersionRequest = R"({"jsonrpc":"2.0","method":"version","id":1})";
inline constexpr const char* kVersionAnswer = R"({"jsonrpc":"2.0","result":{"Server":"puad 1.2.3"},"id":1})";
inline constexpr const char* kPublish =
    R"({"jsonrpc":"2.0","method":"pua_publish","params":["sip:a@b",60,"presence"],"id":1})";

// A client with an address of its own.
class Client {
 public:
  explicit Client(const std::string& server, bool named = true) : Client(server, "", named) {}
  // own: a path; empty: the kernel chooses.
  Client(const std::string& server, const std::string& own, bool named = true) {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, own.data(), own.size());
    if (named) bind(fd_, reinterpret_cast<sockaddr*>(&address), own.empty() ? sizeof(sa_family_t) : sizeof address);
    address = {};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, server.data(), server.size());
    server_ = address;
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  bool send(std::string_view text) {
    return sendto(fd_, text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&server_), sizeof server_) ==
           static_cast<ssize_t>(text.size());
  }
  std::string receive() {
    std::string text(400000, '\0');
    ssize_t n = recv(fd_, text.data(), text.size(), 0);
    text.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return text;
  }

 private:
  int fd_;
  sockaddr_un server_{};
};

inline std::string read_all(int fd) {
  std::string text;
  char b[4096];
  for (ssize_t n; (n = read(fd, b, sizeof b)) > 0;) text.append(b, static_cast<size_t>(n));
  return text;
}

class TransportRig : public Utest {
 public:
  std::string dir;
  std::string log_text;   // each line with its level
  event_base* base = event_base_new();
  std::unique_ptr<FakeWorld> world = std::make_unique<FakeWorld>(base);
  std::unique_ptr<Dispatcher> dispatcher = std::make_unique<Dispatcher>(world->context);
  std::string path, fifo_path;

  void setup() override {
    char name[] = "/tmp/pua-control-XXXXXX";
    dir = mkdtemp(name);
    path = dir + "/ctl.sock";
    fifo_path = dir + "/ctl.fifo";
    world->context.version = "puad 1.2.3";
    world->pua.log().set_sink([this](LogLevel level, std::string_view line) {
      log_text.append(log_level_name(level)).append(": ").append(line).append("\n");
    });
  }
  const std::string& log() const { return log_text; }
  void teardown() override {
    world.reset();
    event_base_free(base);
    std::filesystem::remove_all(dir);
  }
  ControlCounters& counters() { return world->context.counters; }
  void turn() { event_base_loop(base, EVLOOP_NONBLOCK); }
  std::unique_ptr<DgramTransport> dgram(int mode = 0600) {
    auto t = DgramTransport::open(base, *dispatcher, path, mode);
    CHECK_TEXT(t.ok(), t ? "" : t.error().message.c_str());
    return std::move(*t);
  }
  std::unique_ptr<FifoTransport> fifo(int mode = 0600) {
    auto t = FifoTransport::open(base, *dispatcher, fifo_path, mode, dir);
    CHECK_TEXT(t.ok(), t ? "" : t.error().message.c_str());
    return std::move(*t);
  }
  template <class T>
  void refused(const Result<T>& r, const char* part) {
    CHECK(!r.ok());
    LONGS_EQUAL(static_cast<int>(Errc::bad_config), static_cast<int>(r.error().code));
    STRCMP_CONTAINS(part, r.error().message.c_str());
  }
  int make_reply_fifo(const char* name) {
    std::string p = dir + "/" + name;
    LONGS_EQUAL(0, mkfifo(p.c_str(), 0600));
    return open(p.c_str(), O_RDONLY | O_NONBLOCK);
  }
  void to_fifo(std::string_view text) {
    int fd = open(fifo_path.c_str(), O_WRONLY | O_NONBLOCK);
    CHECK(fd >= 0);
    LONGS_EQUAL(text.size(), write(fd, text.data(), text.size()));
    close(fd);
  }
};

}  // namespace pua::test
