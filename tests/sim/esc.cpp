#include "esc.h"

namespace sim {

using pua::ReplyOrigin;

void Esc::expire(MonoMs now) {
  for (auto it = states_.begin(); it != states_.end();) it = it->second.expires <= now ? states_.erase(it) : ++it;
}

Answer Esc::handle(const pua::SipRequest& q, MonoMs now) {
  std::string id = std::string(q.call_id) + " " + std::to_string(q.cseq);
  auto [known, fresh] = branch_of_.emplace(id, q.branch);
  if (!fresh && known->second != q.branch) violations.push_back("CSeq used twice with different content: " + id);
  Answer a;
  a.at = now + 1 + static_cast<MonoMs>(random_.below(mood.slow && chance(mood.slow) ? 20000 : 50));
  if (chance(mood.transport)) {
    a.status = 503;
    a.origin = ReplyOrigin::Transport;
    return a;
  }
  bool lost = chance(mood.lose_request);
  if (!lost) {
    MonoMs at = a.at;
    auto again = by_branch_.find(std::string(q.branch));
    if (again != by_branch_.end()) a = again->second;
    else by_branch_[std::string(q.branch)] = a = process(q, now);
    a.at = at;
    lost = chance(mood.lose_reply);
  }
  if (lost) {
    a = Answer{};
    a.at = now + 32000;
    a.status = 408;
    a.origin = ReplyOrigin::Timeout;
  }
  return a;
}

Answer Esc::process(const pua::SipRequest& q, MonoMs now) {
  expire(now);
  Answer a;
  auto fail = [&](int status) {
    a.status = status;
    if (status == 503 && chance(mood.retry_after)) a.retry_after = static_cast<int64_t>(random_.below(90));
    return a;
  };
  if (chance(mood.transient)) {
    static constexpr int kinds[] = {302, 408, 429, 430, 480, 500, 503, 503, 600, 482};
    return fail(kinds[random_.below(10)]);
  }
  if (chance(mood.forbidden)) return fail(random_.below(2) ? 403 : 404);
  if (chance(mood.auth)) return fail(random_.below(2) ? 401 : 407);
  if (chance(mood.fatal)) {
    static constexpr int kinds[] = {400, 405, 406, 413, 415, 420, 489};
    int status = kinds[random_.below(7)];
    a.again = status == 400 && q.expires > 0 && !q.if_match.empty() && q.body.empty();
    if (q.expires == 0 || a.again)   // the state stays until its grant ends
      if (auto it = states_.find(std::string(q.if_match)); it != states_.end()) it->second.excused = true;
    return fail(status);
  }
  if (chance(mood.forget)) states_.erase(std::string(q.if_match));
  ServerState s;
  if (!q.if_match.empty()) {
    auto it = states_.find(std::string(q.if_match));
    if (it == states_.end()) return fail(412);
    s = it->second;
    if (s.uri != q.uri) violations.push_back("entity-tag of another presentity used");
    if (!s.reply_processed && !s.excused) violations.push_back("an orphan was touched: " + std::string(q.if_match));
    if (q.expires == 0) {
      states_.erase(it);
      a.status = 200;
      a.expires = 0;
      return a;
    }
  } else if (q.body.empty()) {
    violations.push_back("initial publication without a body");
  }
  if (q.expires <= 0) violations.push_back("Expires: " + std::to_string(q.expires) + " on a publication");
  if (chance(mood.too_brief)) {
    a.min_expires = random_.below(4) ? q.expires + 600 : 60;
    return fail(423);
  }
  if (!q.if_match.empty()) states_.erase(std::string(q.if_match));
  a.status = 200;
  a.expires = std::min<int64_t>(q.expires, mood.max_grant);
  if (chance(mood.zero_grant)) {
    a.expires = 0;
    return a;
  }
  s.uri = q.uri;
  if (!q.body.empty()) s.body = q.body;
  s.expires = now + a.expires * 1000;
  s.reply_processed = false;
  static constexpr const char* odd[] = {"", "", " blank", ":@;,", "\""};   // entity-tags that are tokens, and some that are not
  std::string etag = "e" + std::to_string(next_etag_) + odd[next_etag_ % 5];
  next_etag_++;
  if (chance(mood.no_etag)) {
    // A broken server, which stores the state but sends no SIP-ETag. The client keeps its old entity-tag, and so does the state
    // here.
    if (!q.if_match.empty()) etag = q.if_match;
    s.excused = true;
  } else {
    a.etag = etag;
  }
  static constexpr int64_t boasts[] = {1, 600, 4294960000};
  if (chance(mood.boast)) a.expires += boasts[random_.below(3)];   // it says that it granted more than it did
  if (chance(mood.no_expires)) a.expires = -1, s.expires = now + q.expires * 1000;
  states_[etag] = s;
  return a;
}

}  // namespace sim
