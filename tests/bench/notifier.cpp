// The notifier of the sink: tests/bench/notifier.h.
#include "tests/bench/notifier.h"

#include <arpa/inet.h>

#include <cstdlib>

#include "tests/bench/samples.h"

namespace bench {

namespace {

// What stands in <>, or what there is up to the parameters.
std::string_view uri_in(std::string_view value) {
  size_t a = value.find('<');
  if (a == value.npos) return value.substr(0, value.find(';'));
  size_t b = value.find('>', a);
  return b == value.npos ? std::string_view() : value.substr(a + 1, b - a - 1);
}

// Where a Contact leads, if it says an IPv4 address and a port.
bool address_of(std::string_view uri, sockaddr_in& out) {
  size_t at = uri.find('@'), start = at == uri.npos ? uri.find(':') : at;
  if (start == uri.npos) return false;
  std::string host(uri.substr(start + 1));
  size_t colon = host.find(':');
  if (colon == host.npos) return false;
  int port = atoi(host.c_str() + colon + 1);
  host.resize(colon);
  out.sin_family = AF_INET;
  out.sin_port = htons(uint16_t(port));
  return inet_pton(AF_INET, host.c_str(), &out.sin_addr) == 1;
}

// Depends on the Call-ID alone: a retransmission gets the same tag again.
void make_tag(std::string_view call_id, char out[15]) {
  uint64_t a = fnv(call_id, 14695981039346656037u);
  static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  out[0] = 'n';
  for (int i = 1; i < 14; i++, a /= 36) out[i] = digits[a % 36];
  out[14] = 0;
}

}  // namespace

void Notifier::reset() {
  n_ = Counters();
  kept_.clear();
  first_.clear();
  left_ = open_ = bare_ = at_ = 0;
}

size_t Notifier::answer(const Request& r, unsigned granted, const sockaddr_in& from, char* out, size_t room) {
  uint64_t h = fnv(r.via[0], fnv(r.cseq, 14695981039346656037u)) | 1;
  uint64_t& slot = seen_[h >> 44];
  bool repeated = slot == h, in_dialog = r.to.find(";tag=") != r.to.npos;
  slot = h;
  if (repeated) n_.repeats++;
  else if (!granted) n_.unsubscribed++;
  else if (in_dialog) n_.resubscribed++;
  else n_.subscribed++;

  if (!repeated && mode_ == Mode::Silent) bare_++;

  char tag[15], own[40];
  make_tag(r.call_id, tag);
  snprintf(own, sizeof own, "sip:127.0.0.1:%d", own_port_);
  Text t{out, out + room};
  t << "SIP/2.0 200 OK\r\n";
  for (unsigned i = 0; i < r.vias; i++) t << "Via: " << r.via[i] << "\r\n";
  t << "From: " << r.from << "\r\nTo: " << r.to;
  if (!in_dialog) t << ";tag=" << tag;
  t << "\r\nCall-ID: " << r.call_id << "\r\nCSeq: " << r.cseq << "\r\nContact: <" << own << ">\r\nExpires: ";
  t << static_cast<unsigned long>(granted) << "\r\nContent-Length: 0\r\n\r\n";
  if (!t.ok) return 0;

  if (mode_ != Mode::Silent && !repeated && !in_dialog && granted) {
    Dialog d;
    d.target = uri_in(r.contact);
    d.to = from;
    sockaddr_in named{};
    if (address_of(d.target, named)) d.to = named;
    std::string& f = d.fields;
    f.append("From: ").append(r.to).append(";tag=").append(tag).append("\r\nTo: ").append(r.from);
    f.append("\r\nCall-ID: ").append(r.call_id).append("\r\nEvent: ").append(r.event);
    f.append("\r\nSubscription-State: active;expires=").append(std::to_string(granted));
    f.append("\r\nContact: <").append(own).append(">\r\nContent-Type: application/pidf+xml\r\nContent-Length: ");
    f.append(std::to_string(body_text().size())).append("\r\n\r\n").append(body_text());
    first_.push_back(std::move(d));
  }
  return size_t(t.p - out);
}

void Notifier::answered(std::string_view reply, int64_t now) {
  if (reply.size() < 12) return;
  unsigned long status = strtoul(reply.data() + 8, nullptr, 10);
  if (status < 200) return;
  if (status < 300) {
    n_.ok++;
  } else {
    n_.bad++;
    if (!n_.first_bad) n_.first_bad = status;
  }
  if (open_) open_--;
  finish(now);
}

void Notifier::burst(uint64_t count, unsigned window, int64_t now) {
  if (kept_.empty()) return;
  left_ = count;
  open_ = 0;
  window_ = window ? window : 1;
  burst_start_ = now;
}

void Notifier::stalled(int64_t now) {
  if (!open_) return;
  n_.lost += open_;
  open_ = 0;
  finish(now);
}

void Notifier::finish(int64_t now) {
  if (left_ || open_ || !burst_start_) return;
  n_.burst_ns = now - burst_start_;
  burst_start_ = 0;
}

size_t Notifier::write(Dialog& d, char* out, size_t room) {
  Text t{out, out + room};
  t << "NOTIFY " << d.target << " SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:" << static_cast<unsigned long>(own_port_);
  t << ";branch=z9hG4bKn" << static_cast<unsigned long>(++branch_) << "\r\nMax-Forwards: 70\r\nCSeq: " << ++d.cseq;
  t << " NOTIFY\r\n" << d.fields;
  if (!t.ok) return 0;
  n_.sent++;
  return size_t(t.p - out);
}

size_t Notifier::next(char* out, size_t room, sockaddr_in& to) {
  if (!first_.empty()) {
    Dialog d = std::move(first_.back());
    first_.pop_back();
    to = d.to;
    size_t n = write(d, out, room);
    if (mode_ == Mode::Keep) kept_.push_back(std::move(d));
    return n;
  }
  if (!left_ || open_ >= window_) return 0;
  Dialog& d = kept_[at_++ % kept_.size()];
  to = d.to;
  size_t n = write(d, out, room);
  left_--;
  if (n) open_++;
  return n;
}

}  // namespace bench
