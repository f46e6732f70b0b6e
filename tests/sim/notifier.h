// A scripted notifier (RFC 6665 section 4.2), and the network in front of it: SUBSCRIBEs come in, NOTIFYs go out. Its mood says
// how they misbehave.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "answer.h"
#include "core/notify_port.h"
#include "stage.h"

namespace sim {

struct NotifierMood {           // chances in percent
  // per SUBSCRIBE: the network, then what is answered
  int lose_request = 0, lose_reply = 0, transport = 0, slow = 0;
  int transient = 0, forbidden = 0, auth = 0, fatal = 0, dialog_ends = 0, too_brief = 0, retry_after = 0, digest = 0;
  int zero_grant = 0, boast = 0, no_expires = 0, no_tag = 0, forget = 0, fork = 0, pending = 0, moved = 0;
  // per NOTIFY
  int silent = 0, lose_notify = 0, lose_answer = 0, repeat = 0, late = 0, no_state_expires = 0, skip_version = 0;
  int keeps = 0;                // the dialog goes on after a NOTIFY without an answer
  uint32_t max_grant = 3600;
};

struct ServerDialog {           // one subscription as the notifier holds it
  int key = 0;
  std::string call_id, local_tag, remote_tag;   // local_tag is the subscriber's, as everywhere in this folder
  std::string event, event_id, contact, route_set;
  MonoMs expires = 0;
  uint32_t cseq = 0, version = 0;
  int64_t boast = 0;            // s by which the grant is less than it says
  bool pending = false;
};

struct Packet {                 // a NOTIFY on its way, or the end of one that got no answer (timeout)
  MonoMs sent = 0;
  bool timeout = false, answer_lost = false, bogus = false;
  int key = 0;
  std::string call_id, local_tag, remote_tag, event, event_id, state, reason, contact, route_set, content_type, body;
  uint32_t cseq = 0, version = 0;
  int64_t expires = -1, retry_after = -1;
  bool partial = false;

  pua::NotifyRequest request() const {
    pua::NotifyRequest n;
    n.call_id = call_id;
    n.local_tag = local_tag;
    n.remote_tag = remote_tag;
    n.cseq = cseq;
    n.event = event;
    n.event_id = event_id;
    n.state = state;
    n.reason = reason;
    n.expires = expires;
    n.retry_after = retry_after;
    n.contact = contact;
    n.route_set = route_set;
    n.content_type = content_type;
    n.body = body;
    return n;
  }
};

class Notifier {
 public:
  static constexpr int kResources = 4;
  explicit Notifier(Stage& stage) : stage_(stage) {}
  NotifierMood mood;

  // Decides what becomes of one request, and changes the notifier's state accordingly. key: the resource's number.
  Answer handle(const pua::SipRequest&, int key);
  void change(int key);         // the resource has a new state, of which all its watchers are told
  void terminate_one();         // ends one subscription, for one reason or another
  void move_one();              // one dialog has another Contact from now on, and a NOTIFY says so
  void send_bogus();            // sends a NOTIFY that must not be taken
  void restart() { dialogs_.clear(), transactions_.clear(); }
  void expire();

  MonoMs next_due() const { return network_.empty() ? pua::kNever : network_.begin()->first; }
  Packet take();                // takes out the packet that is due first
  void answered(const Packet&, const pua::NotifyAnswer&);

  int state_of(int key) const { return states_[static_cast<size_t>(key)]; }
  const std::vector<ServerDialog>& dialogs() const { return dialogs_; }
  const ServerDialog* some_dialog();

 private:
  struct Transaction { MonoMs at = 0; Answer answer; };
  using Dialogs = std::vector<ServerDialog>;
  Answer process(const pua::SipRequest&, int key);
  bool count(const pua::SipRequest&, uint32_t cseq, const std::string& branch);
  ServerDialog& make(const pua::SipRequest&, int key);
  Dialogs::iterator find(std::string_view call_id, std::string_view remote_tag);
  Packet packet(ServerDialog&, bool full, const char* state, const char* reason);
  void send(Packet);
  void end(Dialogs::iterator, const char* reason, int64_t retry_after);
  std::string address();

  Stage& stage_;
  Dialogs dialogs_;
  std::multimap<MonoMs, Packet> network_;
  std::map<std::string, Transaction> transactions_;                   // by branch
  std::map<std::string, std::map<uint32_t, std::string>> requests_;   // Call-ID -> CSeq -> branch
  std::array<int, kResources> states_{};
  int next_ = 1;
};

}  // namespace sim
