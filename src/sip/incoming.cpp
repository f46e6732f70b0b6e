#include "sip/incoming.h"

#include <algorithm>
#include <iterator>

#include "core/notify_fields.h"
#include "sip/answer_text.h"
#include "sip/notify_parse.h"
#include "sip/notify_scan.h"
#include "sip/scan.h"

namespace pua {
namespace {

// About 0.5 MB; at 1,000 NOTIFYs a second the repetitions after 0.5, 1.5 and 3.5 s find their answer.
constexpr size_t kMaxAnswers = 4096;
// Of a message that the scanner did not understand and that is beyond the limit: as much is looked at to find a Call-ID of ours.
constexpr size_t kLongestOddHead = 8192;
constexpr const char* kAllow = "Allow: NOTIFY\r\n";
// An answer to a stranger is at most half as long again as what it answers: nobody gains by sending it in another's name.
constexpr size_t longest_answer(size_t request) { return request + request / 2; }

// The Call-ID, if there is one, without looking at the rest: the first word behind the name, in whatever form the field has. Of a message
// that goes on for long, as far as kLongestOddHead.
std::string_view likely_call_id(std::string_view message) {
  constexpr std::string_view kBlanks = " \t\r\n";
  message = message.substr(0, kLongestOddHead);
  for (size_t at = message.find('\n'); at != std::string_view::npos; at = message.find('\n', at + 1)) {
    std::string_view line = message.substr(at + 1);
    size_t name = 0;
    if (line.size() > 7 && same_word(line.substr(0, 7), "Call-ID")) name = 7;
    else if (!line.empty() && (line[0] | 0x20) == 'i') name = 1;
    else continue;
    line.remove_prefix(std::min(line.find_first_not_of(" \t", name), line.size()));
    if (!line.starts_with(":")) continue;
    line.remove_prefix(std::min(line.find_first_not_of(kBlanks, 1), line.size()));
    return line.substr(0, line.find_first_of(kBlanks));
  }
  return {};
}

constexpr std::string_view kKnownMethods[] = {"INVITE", "BYE",     "CANCEL",  "REGISTER",  "INFO",  "PRACK",
                                              "UPDATE", "MESSAGE", "SUBSCRIBE", "REFER", "PUBLISH"};

}  // namespace

Incoming::Incoming(NotifySink& sink, uint32_t t1, HashKey key, Log& log)
    : sink_(&sink), answers_(kMaxAnswers, 64 * static_cast<int64_t>(t1)), key_(key), limit_(key), log_(log) {}

// However much comes, a stranger beyond the limit costs a look at the sender where it is no NOTIFY, and a look for the Call-ID where it is.
void Incoming::take(std::string_view message, NetAddress& to, bool datagram, MonoMs now, std::string& out) {
  if (is_response(message) || message.starts_with("ACK ")) return;
  bool more = limit_.left(to, now), notify = message.starts_with("NOTIFY");
  if (!more && !notify) {
    counters_.unanswered++;
    return;
  }
  if (!more && !sink_->expects(likely_call_id(message))) return too_many(message, to, datagram, now, out);
  Scan s;
  scan(message, s);
  std::string head;
  if (s.kind == Scan::Kind::Odd) {   // what it is made of may stand on folded lines
    if (!more) message = message.substr(0, kLongestOddHead);
    head = plain_head(message);
    Scan odd;
    scan(head, odd);
    take_odd(message, odd, to, datagram, now, out);
    return;
  }
  if (s.kind == Scan::Kind::Response || s.method == "ACK") return;
  bool stranger = !sink_->expects(s[Field::CallId]);
  if (stranger && !limit_.pass(to, now)) {
    counters_.unanswered++;
    return;
  }
  PlainNotifyText text;
  NotifyRequest request;
  if (!read_plain_notify(s, text, request)) {
    answer(s, s.method == "NOTIFY" ? wanted(take_odd_notify(message, now), stranger, to, datagram) : answer_other(s.method), stranger, to, datagram, message.size(), now, out);
    return;
  }
  counters_.plain++;
  request.headers = header_block(message);
  if (stranger) answer(s, wanted(sink_->on_notify(request, now), true, to, datagram), true, to, datagram, message.size(), now, out);
  else take_plain_notify(s, request, to, datagram, now, out, message.size());
}

// A NOTIFY beyond the limit. A datagram comes again; over a connection nothing does, and whoever sends there is who it says.
void Incoming::too_many(std::string_view message, NetAddress& to, bool datagram, MonoMs now, std::string& out) {
  Scan s;
  if (!datagram) scan(message, s);
  if (s.kind == Scan::Kind::Request && s.method == "NOTIFY")
    answer(s, refuse(503, "Too Many NOTIFYs At Once", "Retry-After: 1\r\n"), true, to, datagram, message.size(), now, out);
  else
    counters_.unanswered++;
}

// A NOTIFY of a stranger that is taken all the same is one that a handler asked for (message waiting): a server may have many of them.
// Over a connection it does not count as a stranger's.
NotifyAnswer Incoming::wanted(NotifyAnswer a, bool stranger, const NetAddress& from, bool datagram) {
  if (stranger && !datagram && a.status < 300) limit_.give_back(from);
  return a;
}

void Incoming::take_odd(std::string_view message, const Scan& s, NetAddress& to, bool datagram, MonoMs now, std::string& out) {
  if (s.kind == Scan::Kind::Response || s.method.empty() || s.method == "ACK") return;
  bool stranger = !sink_->expects(s[Field::CallId]);
  if (stranger && !limit_.pass(to, now)) {
    counters_.unanswered++;
    return;
  }
  NotifyAnswer a = s.other_version         ? refuse(505, "Version Not Supported", "")
                   : s.method == "NOTIFY" ? wanted(take_odd_notify(message, now), stranger, to, datagram)
                                          : answer_other(s.method);
  answer(s, a, stranger, to, datagram, message.size(), now, out);
}

// Of a dialog of ours.
void Incoming::take_plain_notify(const Scan& s, const NotifyRequest& request, NetAddress& to, bool datagram, MonoMs now, std::string& out,
                                 size_t size) {
  if (!datagram) {   // over a connection nothing is repeated (timer J is 0 there)
    NotifyAnswer a = sink_->on_notify(request, now);
    if (a.status < 300) limit_.know(to);
    answer(s, a, false, to, datagram, size, now, out);
    return;
  }
  // Two requests are the same one where all of this is (RFC 3261 section 17.2.3, and of RFC 2543 what the branch may lack).
  SipHash h(key_);
  h.add(s.vias[0]).add(request.call_id).add(request.remote_tag).add(request.local_tag).add(static_cast<uint64_t>(request.cseq));
  uint64_t key = h.finish();
  if (const NotifyAnswer* known = answers_.find(key, now)) {
    counters_.repeated++;
    answer(s, *known, false, to, datagram, size, now, out);
    return;
  }
  NotifyAnswer a = sink_->on_notify(request, now);
  if (a.status < 300) limit_.know(to);
  answer(s, a, false, to, datagram, size, now, out);
  answers_.keep(key, std::move(a), now);
}

bool Incoming::take_head(std::string_view head, uint64_t left_out, NetAddress& to, MonoMs now, std::string& out) {
  if (!head.starts_with("NOTIFY ") || !sink_->expects(likely_call_id(head))) return false;
  std::string plain = plain_head(head);
  Scan s;
  scan(plain, s);   // Odd: its body is not there. What an answer needs stands in the fields before that.
  NotifyAnswer a = take_odd_notify(head, now, left_out);
  if (a.status < 300) limit_.know(to);
  answer(s, a, false, to, false, head.size(), now, out);
  return true;
}

// What the scanner did not understand, by sofia's parser.
NotifyAnswer Incoming::take_odd_notify(std::string_view message, MonoMs now, uint64_t left_out) {
  counters_.parsed++;
  auto notify = left_out ? parse_notify_head(message, left_out) : parse_any_notify(message);
  if (!notify) return refuse(400, "Bad Request", "");
  if (const auto& no = notify->refusal()) {
    counters_.refused++;
    NotifyAnswer answer = *no;
    if (!notify->request().call_id.empty()) sink_->on_unreadable(notify->request(), answer, now);
    return answer;
  }
  return sink_->on_notify(notify->request(), now);
}

NotifyAnswer Incoming::refuse(int status, const char* reason, const char* headers) {
  counters_.refused++;
  return {status, reason, headers};
}

NotifyAnswer Incoming::answer_other(std::string_view method) {
  counters_.others++;
  if (method == "OPTIONS") return {200, "OK", kAllow};
  if (method == "CANCEL") return {481, "Call/Transaction Does Not Exist", ""};
  bool known = std::find(std::begin(kKnownMethods), std::end(kKnownMethods), method) != std::end(kKnownMethods);
  return known ? NotifyAnswer{405, "Method Not Allowed", kAllow} : NotifyAnswer{501, "Not Implemented", kAllow};
}

void Incoming::answer(const Scan& s, const NotifyAnswer& a, bool stranger, NetAddress& to, bool datagram, size_t size, MonoMs now,
                      std::string& out) {
  if (stranger && a.status >= 400 && s.method == "NOTIFY") tell_refused(a, to, now);
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

// One line a minute names a notifier whose dialogs are not ours.
void Incoming::tell_refused(const NotifyAnswer& a, const NetAddress& from, MonoMs now) {
  uint64_t left_out = 0;
  if (!refused_gate_.pass(now, left_out)) return;
  std::string more = left_out == 0 ? std::string() : ", and so were " + std::to_string(left_out) + " more";
  log_.notice("sip: a NOTIFY from %s that belongs to no subscription of ours was answered with %d %s%s", from.text().c_str(), a.status,
              a.reason.c_str(), more.c_str());
}

}  // namespace pua
