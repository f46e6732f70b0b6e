// Notifier: the sink's half for subscriptions. Answers SUBSCRIBE, sends the first NOTIFY of each dialog, and on command
// NOTIFYs on the dialogs it kept as fast as their answers come.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/sip_text.h"

namespace bench {

class Notifier {
 public:
  struct Counters {
    uint64_t subscribed = 0, resubscribed = 0, unsubscribed = 0, repeats = 0;
    uint64_t sent = 0, ok = 0, bad = 0, lost = 0;  // NOTIFYs by their answers; lost: none in time
    uint64_t first_bad = 0;                        // status of the first answer that was not 2xx
    int64_t burst_ns = 0;                          // how long the last burst took
  };

  // What follows an initial SUBSCRIBE: nothing, a NOTIFY, a NOTIFY on a dialog that is kept for bursts.
  enum class Mode { Silent, First, Keep };

  explicit Notifier(int port) : own_port_(port) {}
  void mode(Mode m) { mode_ = m; }
  void reset();  // counters, dialogs, burst

  // 200 to a SUBSCRIBE, into `out`. Returns its length, 0: out of room. r: what was read of it; from: where it came from.
  size_t answer(const Request& r, unsigned granted, const sockaddr_in& from, char* out, size_t room);
  // A final answer to one of our NOTIFYs.
  void answered(std::string_view reply, int64_t now);
  // `count` NOTIFYs round robin over the kept dialogs, at most `window` of them unanswered.
  void burst(uint64_t count, unsigned window, int64_t now);
  // No datagram came for a while: what is unanswered counts as lost.
  void stalled(int64_t now);
  // The next NOTIFY to be sent, into `out`. Returns its length, 0: nothing to send now.
  size_t next(char* out, size_t room, sockaddr_in& to);

  const Counters& counters() const { return n_; }
  // Subscriptions made: NOTIFYs answered, and SUBSCRIBEs that no NOTIFY follows.
  uint64_t made() const { return n_.ok + n_.bad + bare_; }
  uint64_t left() const { return left_ + open_; }
  size_t dialogs() const { return kept_.size(); }

 private:
  struct Dialog {
    sockaddr_in to{};
    std::string target, fields;  // of a NOTIFY: Request-URI, the header fields that stay the same
    unsigned long cseq = 0;
  };
  size_t write(Dialog&, char* out, size_t room);
  void finish(int64_t now);

  int own_port_;
  Mode mode_ = Mode::Silent;
  Counters n_;
  std::vector<uint64_t> seen_ = std::vector<uint64_t>(1u << 20);
  std::vector<Dialog> kept_, first_;  // first_: their first NOTIFY is to be sent
  uint64_t left_ = 0, open_ = 0, branch_ = 0, bare_ = 0;
  unsigned window_ = 0;
  size_t at_ = 0;
  int64_t burst_start_ = 0;
};

}  // namespace bench
