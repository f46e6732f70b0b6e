#include "control/undelivered.h"

#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>

namespace pua {

namespace {

constexpr const char* kOtherTmp =
    "there is no such file: the client has gone, or puad sees another folder than the client does (PrivateTmp of the service)";

std::string may_not_write() {
  return "user " + std::to_string(geteuid()) +
         ", which puad runs as, may not write to it: the client must allow that (mode 666)";
}

// A path, or an abstract name with '@' for its NUL.
std::string address_text(const std::string& address) {
  std::string text = address.substr(offsetof(sockaddr_un, sun_path));
  if (text[0] == '\0') {
    text[0] = '@';
  } else {
    text.resize(strnlen(text.data(), text.size()));
  }
  return text;
}

std::string reason(int error) {
  switch (error) {
    case EAGAIN: return "the client does not read";
    case ENOENT: return kOtherTmp;
    case EACCES: return may_not_write();
    case ECONNREFUSED:
    case ENOTCONN:
    case EPIPE: return "the client has gone";
    case ELOOP: return "it is a symbolic link";
    default: return strerror(error);
  }
}

bool is_gone(int error) { return error == ECONNREFUSED || error == ENOTCONN || error == EPIPE; }

}  // namespace

void UndeliveredLog::to_socket(What what, const std::string& address, int error) {
  if (address.empty()) {
    return say(
        others_, false,
        "control: a request came from a socket without an address, and cannot be answered: a client must bind(2) its socket");
  }
  std::string line = what == What::Reply ? "control: a reply to " : "control: a NOTIFY for the watch of ";
  say(is_gone(error) ? gone_ : others_, is_gone(error), line + address_text(address) + " was not delivered: " + reason(error));
}

void UndeliveredLog::to_fifo(const std::string& path, int error, std::string_view why) {
  std::string line = "control: a reply to the FIFO " + path + " was not delivered: ";
  say(is_gone(error) ? gone_ : others_, is_gone(error), line + (error != 0 ? reason(error) : std::string(why)));
}

void UndeliveredLog::say(LogGate& gate, bool gone, const std::string& line) {
  using namespace std::chrono;
  uint64_t more = 0;
  if (!gate.pass(duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count(), more)) return;
  std::string left_out = more > 0 ? " (" + std::to_string(more) + " more were not logged)" : "";
  gone ? log_.notice("%s%s", line.c_str(), left_out.c_str()) : log_.warning("%s%s", line.c_str(), left_out.c_str());
}

}  // namespace pua
