// FifoTransport: the control interface on a FIFO, in OpenSIPS's and in Kamailio's framing (fifo_framing.h).
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "control/dispatcher.h"
#include "control/fifo_framing.h"
#include "control/fifo_reply.h"
#include "control/path_guard.h"

struct event;
struct event_base;

namespace pua {

class FifoTransport {
 public:
  // path: made if it is not there; a FIFO that nobody reads is replaced, one that somebody reads is not.
  // mode: its rights. reply_dir: where the clients' reply FIFOs are. The dispatcher outlives the transport.
  // SIGPIPE must be ignored in the process. Errors (bad_config): in use, no FIFO, no such folder, the system's refusal.
  static Result<std::unique_ptr<FifoTransport>> open(event_base*, Dispatcher&, const std::string& path, int mode,
                                                     const std::string& reply_dir);
  ~FifoTransport();  // replies that come later are dropped
  FifoTransport(const FifoTransport&) = delete;
  FifoTransport& operator=(const FifoTransport&) = delete;

  bool still_there() const { return guard_.still_there(); }  // nobody removed the FIFO

 private:
  FifoTransport(Dispatcher& dispatcher, int fd, std::shared_ptr<FifoReplies> replies);
  static void readable(int fd, short what, void* self);
  static void waited_enough(int fd, short what, void* self);
  void read_some();
  void request(std::string_view name, std::string_view text);

  Dispatcher& dispatcher_;
  int fd_;
  std::shared_ptr<FifoReplies> replies_;
  FifoFraming framing_;
  PathGuard guard_;
  event* read_event_ = nullptr;
  event* rest_timer_ = nullptr;  // armed while a request has begun and not ended
};

}  // namespace pua
