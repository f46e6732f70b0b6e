// DgramTransport: the control interface on a unix datagram socket. One datagram is one request, its reply goes to the
// sender's address, at most 256 KB (dgram_replies.h). Nothing here waits.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "control/dgram_replies.h"
#include "control/dispatcher.h"
#include "control/path_guard.h"

struct event;
struct event_base;

namespace pua {

class DgramTransport {
 public:
  // path: at most 107 octets; mode: rights of the socket file. A socket left over by a dead process is replaced, one
  // that answers is not. The dispatcher outlives the transport.
  // Errors (bad_config): path too long, in use, not a socket, or the system's refusal, by name.
  static Result<std::unique_ptr<DgramTransport>> open(event_base*, Dispatcher&, const std::string& path, int mode);
  ~DgramTransport();  // replies that come later are dropped
  DgramTransport(const DgramTransport&) = delete;
  DgramTransport& operator=(const DgramTransport&) = delete;

  bool still_there() const { return guard_.still_there(); }  // nobody removed the socket file

 private:
  DgramTransport(Dispatcher& dispatcher, std::shared_ptr<DgramReplies> replies);
  static void readable(int fd, short what, void* self);
  void read_some();

  Dispatcher& dispatcher_;
  std::shared_ptr<DgramReplies> replies_;  // and the socket
  PathGuard guard_;
  event* event_ = nullptr;
  std::vector<char> buffer_;
};

}  // namespace pua
