#include "sip/incoming.h"

#include <algorithm>
#include <iterator>

#include "sip/answer_text.h"
#include "sip/notify_parse.h"
#include "sip/notify_scan.h"
#include "sip/scan.h"

namespace pua {
namespace {

// About 0.5 MB; at 1,000 NOTIFYs a second the repetitions after 0.5, 1.5 and 3.5 s find their answer.
constexpr size_t kMaxAnswers = 4096;
constexpr const char* kAllow = "Allow: NOTIFY\r\n";
// An answer to a stranger is at most half as long again as what it answers: nobody gains by sending it in another's name.
constexpr size_t longest_answer(size_t request) { return request + request / 2; }

constexpr std::string_view kKnownMethods[] = {"INVITE", "BYE",     "CANCEL",  "REGISTER",  "INFO",  "PRACK",
                                              "UPDATE", "MESSAGE", "SUBSCRIBE", "REFER", "PUBLISH"};

}  // namespace

Incoming::Incoming(NotifySink& sink, uint32_t t1, HashKey key)
    : sink_(&sink), answers_(kMaxAnswers, 64 * static_cast<int64_t>(t1)), key_(key), limit_(key) {}

void Incoming::take(std::string_view message, NetAddress& to, bool datagram, MonoMs now, std::string& out) {
  Scan s;
  scan(message, s);
  PlainNotifyText text;
  NotifyRequest request;
  if (read_plain_notify(s, text, request)) {
    counters_.plain++;
    take_plain_notify(s, request, to, datagram, now, out, message.size());
    return;
  }
  std::string head;
  if (s.kind == Scan::Kind::Odd) {   // what it is made of may stand on folded lines
    head = plain_head(message);
    scan(head, s);
  }
  if (s.kind == Scan::Kind::Response || s.method.empty() || s.method == "ACK") return;
  bool stranger = !sink_->expects(s[Field::CallId]);
  if (stranger && !limit_.pass(to, now)) {
    counters_.unanswered++;
    return;
  }
  answer(s, s.method == "NOTIFY" ? take_odd_notify(message, now) : answer_other(s.method), stranger, to, datagram, message.size(), out);
}

void Incoming::take_plain_notify(const Scan& s, const NotifyRequest& request, NetAddress& to, bool datagram, MonoMs now, std::string& out,
                                 size_t size) {
  bool stranger = !sink_->expects(request.call_id);
  if (stranger) {
    // The sink still counts it.
    NotifyAnswer a = sink_->on_notify(request, now);
    if (limit_.pass(to, now)) answer(s, a, true, to, datagram, size, out);
    else counters_.unanswered++;
    return;
  }
  if (!datagram) {   // over a connection nothing is repeated (timer J is 0 there)
    answer(s, sink_->on_notify(request, now), false, to, datagram, size, out);
    return;
  }
  // Two requests are the same one where all of this is (RFC 3261 section 17.2.3, and of RFC 2543 what the branch may lack).
  SipHash h(key_);
  h.add(s.vias[0]).add(request.call_id).add(request.remote_tag).add(request.local_tag).add(static_cast<uint64_t>(request.cseq));
  uint64_t key = h.finish();
  if (const NotifyAnswer* known = answers_.find(key, now)) {
    counters_.repeated++;
    answer(s, *known, false, to, datagram, size, out);
    return;
  }
  NotifyAnswer a = sink_->on_notify(request, now);
  answer(s, a, false, to, datagram, size, out);
  answers_.keep(key, std::move(a), now);
}

// What the scanner did not understand, by sofia's parser.
NotifyAnswer Incoming::take_odd_notify(std::string_view message, MonoMs now) {
  counters_.parsed++;
  auto notify = parse_any_notify(message);
  if (!notify) return refuse(400, "Bad Request", "");
  if (const auto& no = notify->refusal()) {
    counters_.refused++;
    return *no;
  }
  return sink_->on_notify(notify->request(), now);
}

NotifyAnswer Incoming::refuse(int status, const char* reason, const char* headers) {
  counters_.refused++;
  return {status, reason, headers};
}

NotifyAnswer Incoming::answer_other(std::string_view method) {
  if (method == "OPTIONS") return {200, "OK", kAllow};
  if (method == "CANCEL") return refuse(481, "Call/Transaction Does Not Exist", "");
  bool known = std::find(std::begin(kKnownMethods), std::end(kKnownMethods), method) != std::end(kKnownMethods);
  return known ? refuse(405, "Method Not Allowed", kAllow) : refuse(501, "Not Implemented", kAllow);
}

void Incoming::answer(const Scan& s, const NotifyAnswer& a, bool stranger, NetAddress& to, bool datagram, size_t size, std::string& out) {
  size_t before = out.size();
  NetAddress from = to;
  if (!append_answer(s, a, key_, datagram, to, out)) return;
  if (!stranger || !datagram || out.size() - before <= longest_answer(size)) return;
  out.resize(before);
  to = from;
  append_answer(s, {a.status, "", ""}, key_, datagram, to, out);   // the bare fact
  if (out.size() - before <= longest_answer(size)) return;
  out.resize(before);
  counters_.unanswered++;
}

}  // namespace pua
