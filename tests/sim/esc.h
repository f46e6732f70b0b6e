// A scripted event state compositor (RFC 3903 section 6), and the network in front of it. Its Mood says how they misbehave.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "answer.h"
#include "base/random.h"

namespace sim {

using pua::MonoMs;

struct ServerState {             // one publication as the server holds it
  std::string uri, body;
  MonoMs expires = 0;
  bool reply_processed = false;  // the client was given the reply with this entity-tag
  bool excused = false;          // it may be an orphan: the client was killed, its removal refused, or no entity-tag was sent
};

struct Mood {                    // chances in percent, per request
  int lose_request = 0, lose_reply = 0, transport = 0, slow = 0;
  int transient = 0, forbidden = 0, auth = 0, fatal = 0, too_brief = 0, no_etag = 0, no_expires = 0, forget = 0,
      retry_after = 0, zero_grant = 0, boast = 0;
  uint32_t max_grant = 3600;
};

class Esc {
 public:
  explicit Esc(pua::Random& random) : random_(random) {}
  Mood mood;
  // Decides what becomes of one request, and changes the server's state accordingly.
  Answer handle(const pua::SipRequest& q, MonoMs now);
  void restart() { states_.clear(), by_branch_.clear(); }
  void expire(MonoMs now);
  std::map<std::string, ServerState>& states() { return states_; }
  std::vector<std::string> violations;

 private:
  bool chance(int percent) { return percent > 0 && random_.below(100) < static_cast<uint64_t>(percent); }
  Answer process(const pua::SipRequest& q, MonoMs now);
  pua::Random& random_;
  std::map<std::string, ServerState> states_;    // by entity-tag
  std::map<std::string, Answer> by_branch_;      // transactions that are remembered: a repeated request gets the same answer
  std::map<std::string, std::string> branch_of_; // Call-ID and CSeq -> branch
  uint64_t next_etag_ = 1;
};

}  // namespace sim
