#include "sip/incoming.h"

#include <algorithm>
#include <iterator>

#include "core/notify_fields.h"
#include "sip/answer_text.h"
#include "sip/header_text.h"
#include "sip/notify_parse.h"
#include "sip/notify_scan.h"
#include "sip/scan.h"

namespace pua {
namespace {

// About 0.5 MB; at 1,000 NOTIFYs a second the repetitions after 0.5, 1.5 and 3.5 s find their answer.
constexpr size_t kMaxAnswers = 4096;
// So many octets are searched for a Call-ID of ours in a message that the scanner did not understand.
constexpr size_t kLongestOddHead = 8192;
constexpr const char* kAllow = "Allow: NOTIFY\r\n";
// An answer to a stranger is at most half as long again as what it answers: nobody gains by sending it in another's name.
constexpr size_t longest_answer(size_t request) { return request + request / 2; }

// The Call-ID, if there is one, without looking at the rest: the first word behind the name, in whatever form the field has. Of
// a long message only the first kLongestOddHead octets are searched.
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

// However much comes, a request of a stranger beyond the limit costs little: a look at its sender, and for a NOTIFY the search
// for its Call-ID.
void Incoming::take(std::string_view message, NetAddress& to, bool datagram, MonoMs now, std::string& out) {
  if (is_response(message) || message.starts_with("ACK ")) return;
  using Names = StrangerLimit::Names;
  bool more = limit_.left(to, Names::Nothing, now);
  Caller who{to, datagram, message.size()};
  Scan s;
  if (!more &&
      !(message.starts_with("NOTIFY") && limit_.left(to, Names::OurDialog, now) && sink_->expects(likely_call_id(message)))) {
    if (!datagram && message.starts_with("NOTIFY")) scan(message, s);
    return too_many(s, who, now, out);
  }
  scan(message, s);
  std::string head;
  if (s.kind == Scan::Kind::Odd) {   // the fields that an answer repeats may stand on folded lines
    if (!more) message = message.substr(0, kLongestOddHead);
    head = plain_head(message);
    Scan odd;
    scan(head, odd);
    take_odd(message, odd, who, now, out);
    return;
  }
  if (s.kind == Scan::Kind::Response || s.method == "ACK") return;
  if (!let_in(s, who, now)) return too_many(s, who, now, out);
  PlainNotifyText text;
  NotifyRequest request;
  NotifyAnswer a;
  if (read_plain_notify(s, text, request)) {
    counters_.plain++;
    request.headers = s.lines.size() <= kMaxShownOctets ? s.lines : header_block(message);
    request.unfolded = true;   // else it would be odd
    a = take_plain_notify(s, request, who, now);
  } else {
    a = s.method == "NOTIFY" ? take_odd_notify(message, s, who, now) : answer_other(s.method);
  }
  answer(s, a, who, now, out);
}

// Finds out whether a known host sent it, or a stranger. false: a stranger's request beyond the limit, not to be answered.
bool Incoming::let_in(const Scan& s, Caller& who, MonoMs now) {
  who.ours = s.method == "NOTIFY" && sink_->expects(s[Field::CallId]);
  who.stranger = !who.ours || !limit_.knows(who.to);
  return !who.stranger || limit_.pass(who.to, who.names(), now);
}

// A request beyond the limit gets no answer: over UDP it comes again. Only a NOTIFY over a connection gets a 503, for nothing
// is repeated there, and nobody can send under another's address.
void Incoming::too_many(const Scan& s, Caller& who, MonoMs now, std::string& out) {
  if (who.datagram || s.kind != Scan::Kind::Request || s.method != "NOTIFY") {
    counters_.unanswered++;
    return;
  }
  counters_.refused++;
  answer(s, {503, "Too Many NOTIFYs At Once", "Retry-After: 1\r\n"}, who, now, out);
}

void Incoming::take_odd(std::string_view message, const Scan& s, Caller& who, MonoMs now, std::string& out) {
  if (s.kind == Scan::Kind::Response || s.method.empty() || s.method == "ACK") return;
  if (!let_in(s, who, now)) return too_many(s, who, now, out);
  NotifyAnswer a;
  if (s.method == "NOTIFY") a = take_odd_notify(message, s, who, now);
  else if (s.other_version) counters_.refused++, a = {505, "Version Not Supported", ""};
  else a = answer_other(s.method);
  answer(s, a, who, now, out);
}

NotifyAnswer Incoming::take_plain_notify(const Scan& s, const NotifyRequest& request, Caller& who, MonoMs now) {
  // An answer is kept for repetitions. Over a connection there are none (timer J is 0 there), and for a request that names no
  // dialog of ours nothing is kept.
  if (!who.datagram || !who.ours) return show(request, who, now);
  // Two requests are the same one where all of these are equal (RFC 3261 section 17.2.3; for senders of RFC 2543, whose branch
  // may be missing, the fields behind the Via count).
  SipHash h(key_);
  h.add(s.vias[0]).add(request.call_id).add(request.remote_tag).add(request.local_tag).add(static_cast<uint64_t>(request.cseq));
  uint64_t key = h.finish();
  if (const NotifyAnswer* known = answers_.find(key, now)) {
    counters_.repeated++;
    return *known;
  }
  NotifyAnswer a = show(request, who, now);
  if (!who.stranger) answers_.keep(key, a, now);   // strangers must not be able to push out the answers to others
  return a;
}

bool Incoming::take_head(std::string_view head, uint64_t left_out, NetAddress& to, MonoMs now, std::string& out) {
  if (!head.starts_with("NOTIFY ") || !sink_->expects(likely_call_id(head))) return false;
  std::string plain = plain_head(head);
  Scan s;
  scan(plain, s);   // Odd: its body is not there. What an answer needs stands in the fields before that.
  Caller who{to, false, head.size()};
  if (!let_in(s, who, now)) return false;
  NotifyAnswer a = take_odd_notify(head, s, who, now, left_out);
  answer(s, a, who, now, out);
  return true;
}

// What the scanner did not understand, by sofia's parser.
NotifyAnswer Incoming::take_odd_notify(std::string_view message, const Scan& s, Caller& who, MonoMs now, uint64_t left_out) {
  if (s.other_version) return refuse_unread(s, who.to, 505, "Version Not Supported", now);
  // Without one no answer can be made (RFC 3261 section 18.2.2): its sender takes it for lost, and so do we.
  if (s.via_count == 0) return refuse_unread(s, who.to, 400, "Via: missing, it cannot be answered", now);
  counters_.parsed++;
  auto notify = left_out ? parse_notify_head(message, left_out) : parse_any_notify(message);
  if (!notify) return refuse_unread(s, who.to, 400, "Bad Request", now);
  if (!notify->refusal()) return show(notify->request(), who, now);
  counters_.refused++;
  NotifyRequest request = notify->request();
  request.sender = sender(who.to);
  if (!request.call_id.empty()) sink_->on_unreadable(request, *notify->refusal(), now);
  return *notify->refusal();
}

NotifyAnswer Incoming::show(const NotifyRequest& request, Caller& who, MonoMs now) {
  NotifyRequest shown = request;
  shown.sender = sender(who.to);
  NotifyAnswer a = sink_->on_notify(shown, now);
  // A NOTIFY without our tag was taken as one that belongs to no dialog, and anybody may send such a one.
  if (who.ours && a.status < 300 && !request.local_tag.empty()) {
    limit_.know(who.to);
    who.stranger = false;
  }
  // A stranger's NOTIFY that was taken is one that a handler asked for (unsolicited message waiting): a server may send many of
  // them, so they do not count against its limit.
  if (who.stranger && !who.datagram && a.status < 300) limit_.give_back(who.to, who.names(), now);
  return a;
}

// A NOTIFY that cannot be read as a whole. The sink is told what can be read of it.
NotifyAnswer Incoming::refuse_unread(const Scan& s, const NetAddress& from, int status, const char* reason, MonoMs now) {
  counters_.refused++;
  NotifyAnswer a{status, reason, ""};
  NotifyRequest request;
  if (!is_word(s[Field::CallId], kMaxCallId)) return a;
  request.call_id = s[Field::CallId];
  if (std::string_view tag; read_tag(s[Field::To], tag) && is_tag(tag)) request.local_tag = tag;
  if (std::string_view tag; read_tag(s[Field::From], tag) && is_tag(tag)) request.remote_tag = tag;
  request.sender = sender(from);
  sink_->on_unreadable(request, a, now);
  return a;
}

void Incoming::turned_away(std::string_view head, const NetAddress& from, int status, const char* reason, MonoMs now) {
  std::string lines = plain_head(head);
  Scan s;
  scan(lines, s);
  if (s.method != "NOTIFY") return;
  NotifyAnswer a = refuse_unread(s, from, status, reason, now);
  if (!sink_->expects(s[Field::CallId])) tell_refused(a, from, now);
}

std::string_view Incoming::sender(const NetAddress& from) {
  if (sender_text_.empty() || !sender_.same_family(from) || !sender_.same_host(from) || sender_.port() != from.port()) {
    sender_ = from;
    sender_text_ = from.text();
  }
  return sender_text_;
}

NotifyAnswer Incoming::answer_other(std::string_view method) {
  counters_.others++;
  if (method == "OPTIONS") return {200, "OK", kAllow};
  if (method == "CANCEL") return {481, "Call/Transaction Does Not Exist", ""};
  bool known = std::find(std::begin(kKnownMethods), std::end(kKnownMethods), method) != std::end(kKnownMethods);
  return known ? NotifyAnswer{405, "Method Not Allowed", kAllow} : NotifyAnswer{501, "Not Implemented", kAllow};
}

void Incoming::answer(const Scan& s, const NotifyAnswer& a, Caller& who, MonoMs now, std::string& out) {
  if (!who.ours && a.status >= 400 && s.method == "NOTIFY") tell_refused(a, who.to, now);
  size_t before = out.size();
  NetAddress from = who.to;
  if (!append_answer(s, a, key_, who.datagram, who.to, out)) return;
  if (!who.stranger || !who.datagram || out.size() - before <= longest_answer(who.size)) return;
  out.resize(before);
  who.to = from;
  append_answer(s, {a.status, "", ""}, key_, who.datagram, who.to, out);   // the bare fact
  if (out.size() - before <= longest_answer(who.size)) return;
  out.resize(before);
  counters_.unanswered++;
}

// One line a minute names a notifier whose dialogs are not ours.
void Incoming::tell_refused(const NotifyAnswer& a, const NetAddress& from, MonoMs now) {
  uint64_t left_out = 0;
  if (!refused_gate_.pass(now, left_out)) return;
  std::string more = left_out == 0 ? std::string() : ", and so were " + std::to_string(left_out) + " more";
  log_.notice("sip: a NOTIFY from %s that belongs to no subscription of ours was answered with %d %s%s", from.text().c_str(),
              a.status, a.reason.c_str(), more.c_str());
}

}  // namespace pua
