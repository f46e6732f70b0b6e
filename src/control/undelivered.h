// UndeliveredLog: logs control replies that could not be delivered, with the reason and what helps: a few lines a minute,
// however many there are.
#pragma once

#include <string>
#include <string_view>

#include "base/log.h"
#include "base/log_gate.h"

namespace pua {

class UndeliveredLog {
 public:
  enum class What : uint8_t { Reply, Notify };   // Notify: a message of a watch

  explicit UndeliveredLog(Log& log) : log_(log) {}
  // address: sockaddr_un as recvfrom gave it; empty: the client has none. error: what sending said; EAGAIN: the client does not
  // read.
  void to_socket(What, const std::string& address, int error);
  // path: of the reply FIFO. error: what opening or writing said, 0: `why` stands for it.
  void to_fifo(const std::string& path, int error, std::string_view why);

 private:
  void say(LogGate&, bool gone, const std::string& line);

  Log& log_;
  LogGate gone_{3, 60000}, others_{3, 60000};   // two, so that clients that went away, which is common, hide nothing else
};

}  // namespace pua
