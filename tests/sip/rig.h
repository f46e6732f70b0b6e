// Rig: a real SipStack on a loop of its own, with a sink that writes down what comes. Tests turn the loop until they have
// seen what they wait for; nothing sleeps.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "sip/stack.h"
#include "sip/su_driver.h"
#include "tests/support/scripted_server.h"

struct event_base;
struct event;

namespace pua::test {

struct Outcome {
  TxnId txn = 0;
  int status = 0;
  bool ours = false, etag_unusable = false;
  std::string reason, etag, to_tag, contact, route_set;
  ReplyOrigin origin = ReplyOrigin::Wire;
  int64_t expires = -1, min_expires = -1, retry_after = -1;
  uint32_t cseq = 0;
  std::shared_ptr<const ReplyMessage> message;

  std::string header(const char* name) const {
    std::string out;
    return message && message->header(name, out) ? out : "(none)";
  }
};

// The same tests run in both ways of sending over UDP: PUA_TEST_LANE=no in the environment is SipSettings::lane = false.
bool lane_on();

const char* origin_name(ReplyOrigin);

class Rig : public SipSink {
 public:
  explicit Rig(SuDriver::Mode mode = SuDriver::Mode::Port);
  ~Rig() override;

  SipSettings settings;  // listens on 127.0.0.1, any port
  NotifySink* notifies = nullptr;
  void start();          // fails the test if it cannot
  Result<std::unique_ptr<SipStack>> try_start();

  // A PUBLISH with everything in it; change what the test is about.
  SipRequest publish(TxnId txn = 1);
  void send(const SipRequest&);

  // Turns the loop until the condition holds. false after 5 s of real time.
  bool until(const std::function<bool()>&);
  bool until_replies(size_t n) { return until([&] { return replies.size() >= n; }); }
  void turn();           // what is ready now, once

  void on_reply(TxnId, const SipReply&, MonoMs) override;
  std::function<void(TxnId)> then;  // called inside on_reply
  std::vector<Outcome> replies;
  std::vector<std::string> lines;   // of the log
  bool in_send = false, inside = false;  // a reply came inside send()

  event_base* base;
  Log log;
  std::unique_ptr<SuDriver> driver;
  std::unique_ptr<SipStack> stack;

 private:
  event* tick_;
};

// sofia's clock and the stack's in the hands of the test. Make it before Rig::start().
class FakeClock {
 public:
  FakeClock();
  ~FakeClock();
  // In steps of 100 ms, each with a turn of the rig.
  void pass(Rig&, int64_t ms);
};

}  // namespace pua::test
