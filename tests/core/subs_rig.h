// Rig for subscriptions: owners that subscribe, a notifier that answers and notifies, a handler that records what it got.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/core/rig.h"

namespace pua::test {

constexpr int32_t kMiSubscribe = 256, kWinfo = 2;
const std::string kBob = "sip:bob@example.com";                  // the watcher
const std::string kOurContact = "sip:pua@10.0.0.9:5080";
const std::string kNotifier = "sip:notifier@10.0.0.1:5060";      // Contact of the notifier

// What an owner asks for, with its usual values.
struct Want {
  int64_t expires = 3600;
  std::string uri = kAlice, watcher = kBob, to = {}, contact = {}, target = {};
  std::string event_id = {}, id = {}, headers = {}, proxy = {};
  int32_t source = kMiSubscribe, event = kPresence;
  bool keep_existing = false;
  void* cb_param = nullptr;
  std::string body = {}, content_type = {};
};

// A NOTIFY by the notifier of the last SUBSCRIBE; each field can be changed.
struct Bring {
  std::string state = "active", reason = {};
  int64_t expires = -1, retry_after = -1;
  uint64_t left_out = 0;
  std::string body = {}, content_type = {};           // "-": none, else that of presence where there is a body
  std::string headers = {};
  std::string remote_tag = "n1", contact = {}, route_set = {}, event = "presence", event_id = {};
  std::optional<uint32_t> cseq = {};                  // else the next one
  std::optional<std::string> call_id = {}, local_tag = {};
  std::string route_problem = {}, sender = {};
};

// What a handler was called with.
struct Heard {
  std::string uri, id, state, reason, content_type, body, dialog, machine;
  int64_t expires = -1, retry_after = -1;
  bool gap = false;
  BadDocument bad = BadDocument::No;
  std::string headers;
  int32_t source = 0;
  void* cb_param = nullptr;
};

class SubsRig : public Rig {
 public:
  SubsRig();

  // --- the process: as in Rig, and the handler is registered again ---
  void boot();
  void restart() { kill(), boot(); }

  // --- owners ---
  Call& ask(const Want&);                            // makes the call, and runs nothing
  Call& subscribe(const Want& w = {});
  Call& unsubscribe(const Want& w = {});             // the same with expires 0
  // Subscribes, answers 2xx, and sends the first NOTIFY: `grant` s are left.
  Call& live(const Want& w = {}, int64_t grant = 3600);

  // --- the notifier ---
  void accept(int64_t granted);                      // 200 with tag n1 and its Contact
  void accept() { accept(last().expires); }
  NotifyAnswer notify(const Bring& b = {});
  int refused(const Bring& b);                       // returns the status; fails if more than a counter has changed
  // Sends the last NOTIFY, after a removal or fetch.
  void end() { notify({.state = "terminated", .reason = "timeout"}); }

  // --- looking in ---
  const SubscriptionRecord* sub(const Want& w = {}) const;
  std::string state(const Want& w = {}) const;       // "none" without a subscription
  std::string view_all(const Want& w = {}) const;    // everything that a view shows, but times and `stored`
  void text(const Want& w, const std::function<void(const RecordView&)>&) const;
  std::string dialog(const Want& w = {}) const;      // as in RecordView

  uint32_t notify_cseq = 0;                          // of the last NOTIFY
  std::vector<Heard> heard;
  std::function<void(const NotifyView&)> when_heard;
  int32_t mask = -1;                                 // of the handler
  int handler = 0;

 private:
  void listen();
};

}  // namespace pua::test
