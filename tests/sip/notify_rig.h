// What tests of NOTIFYs share: a sink that writes down what comes, a client on a plain socket, and texts.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/notify_port.h"
#include "tests/sip/rig.h"

#include <CppUTest/TestHarness.h>

namespace pua::test {

struct Notified {
  std::string call_id, local_tag, remote_tag, event, event_id, state, reason, contact, route_set, content_type, body, body_problem, to_uri, from_uri, headers;
  uint32_t cseq = 0;
  int64_t expires = -1, retry_after = -1;
  uint64_t left_out = 0;
};
Notified copy_of(const NotifyRequest&);

class RecordingSink : public NotifySink {
 public:
  NotifyAnswer on_notify(const NotifyRequest&, MonoMs) override;
  NotifyAnswer answer{200, "OK", ""};
  bool keep = true;                            // what came
  size_t count = 0;
  std::vector<Notified> came;
  std::function<void(const Notified&)> then;   // inside on_notify
};

// A connected socket to the address of "sip:127.0.0.1:5080;transport=tcp".
class Wire {
 public:
  explicit Wire(const std::string& contact, bool tcp = false);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  bool up() const { return fd_ >= 0; }
  uint16_t port() const { return port_; }
  void send(std::string_view bytes);
  // What came in: of UDP one entry a datagram, of TCP one a message. closed: the other side closed.
  const std::vector<SipReceived>& replies();
  bool closed = false;

 private:
  int fd_ = -1;
  bool tcp_;
  uint16_t port_ = 0;
  std::string in_;
  std::vector<SipReceived> replies_;
};

// A NOTIFY with everything in it. headers: whole lines instead of the usual Event, Subscription-State, Contact and
// Content-Type.
struct NotifyMessage {
  std::string via = "SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKn1;rport";
  std::string from = "<sip:bob@example.com>;tag=rt-1", to = "<sip:watcher@example.com>;tag=lt-1", call_id = "sub-1@pua";
  std::string cseq = "5 NOTIFY";
  std::string headers = "Event: presence;id=7\r\nSubscription-State: active;expires=600\r\n"
                        "Contact: <sip:server@192.0.2.9:5070>\r\nContent-Type: application/pidf+xml\r\n";
  std::string body = "<presence/>";
  std::string text() const;
};

// A stack with a listener on 127.0.0.1, and its sink.
struct ListenerTest : Utest {
  Rig* rig = nullptr;
  RecordingSink* sink = nullptr;
  NotifyMessage m;
  std::string proxy;

  void setup() override { make(SuDriver::Mode::Port); }
  void teardown() override { drop(); }
  void make(SuDriver::Mode);
  void drop();
  std::string contact() { return rig->stack->notify_contact(); }
  SipReceived ask(Wire&, const std::string& text);                          // one more message comes back
  static std::string status(const SipReceived& r) { return r.start_line.substr(r.start_line.find(' ') + 1); }
  std::string answer();                                                      // to m, over a socket of its own
  SipRequest subscribe(const ScriptedServer&, TxnId txn = 1);
  SipReceived connect(ScriptedServer&);   // a SUBSCRIBE over TCP, which is answered; its connection stays
};

}  // namespace pua::test
