#include "sip/answer_text.h"

#include <charconv>

#include "sip/scan.h"

namespace pua {
namespace {

constexpr size_t kNone = std::string_view::npos;
constexpr uint16_t kDefaultPort = 5060;

void number(std::string& out, uint64_t n, int base = 10) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, n, base).ptr);
}

// Where the first value of a list ends: at a comma that stands in no quotes.
size_t first_value(std::string_view list) {
  bool quoted = false;
  for (size_t i = 0; i < list.size(); i++) {
    if (quoted && list[i] == '\\') i++;
    else if (list[i] == '"') quoted = !quoted;
    else if (list[i] == ',' && !quoted) return i;
  }
  return list.size();
}

// Position of the parameter `name` behind its ';', kNone: it is not there. end: where the next begins.
size_t param_at(std::string_view via, std::string_view name, size_t& end) {
  for (size_t at = via.find(';'); at != kNone; at = via.find(';', at + 1)) {
    end = std::min(via.find(';', at + 1), via.size());
    std::string_view one = trimmed(via.substr(at + 1, end - at - 1));
    if (same_word(trimmed(one.substr(0, one.find('='))), name)) return at;
  }
  return kNone;
}

// Host and port of "SIP/2.0/UDP host:port;...".
std::string_view sent_by(std::string_view via, uint16_t& port) {
  via = trimmed(via.substr(0, via.find(';')));
  size_t blank = via.find_last_of(" \t");
  std::string_view host = blank == kNone ? std::string_view() : via.substr(blank + 1);
  size_t colon = host.rfind(':');
  port = kDefaultPort;
  if (colon == kNone || (host.find(']') != kNone && colon < host.find(']'))) return host;
  std::string_view digits = host.substr(colon + 1);
  uint16_t n = 0;
  if (auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), n); ec == std::errc() && n != 0) port = n;
  return host.substr(0, colon);
}

// The topmost Via with what we saw of its sender (RFC 3261 section 18.2.1, RFC 3581 section 4).
void append_top_via(std::string_view list, bool datagram, NetAddress& to, std::string& out) {
  size_t end = first_value(list), rport_end = 0;
  std::string_view via = list.substr(0, end);
  size_t rport = param_at(via, "rport", rport_end);
  uint16_t port = 0;
  std::string_view host = sent_by(via, port);
  std::string from = to.host();
  out.append("Via: ");
  if (rport != kNone) {
    out.append(via.substr(0, rport)).append(";rport=");
    number(out, to.port());
    out.append(via.substr(rport_end));
  } else {
    out.append(via);
    if (datagram) to.set_port(port);
  }
  size_t received_end = 0;
  if ((rport != kNone || host != from) && param_at(via, "received", received_end) == kNone) {
    if (from.front() == '[') from = from.substr(1, from.size() - 2);
    out.append(";received=").append(from);
  }
  out.append(list.substr(end)).append("\r\n");
}

void append_to(const Scan& s, HashKey tags, std::string& out) {
  std::string_view to = s[Field::To];
  out.append("To: ").append(to);
  size_t close = to.rfind('>'), end = 0;
  if (param_at(close == kNone ? to : to.substr(close), "tag", end) == kNone) {
    SipHash h(tags);
    h.add(s.vias[0]).add(s[Field::From]).add(s[Field::CallId]);
    out.append(";tag=");
    number(out, h.finish(), 16);
  }
  out.append("\r\n");
}

}  // namespace

std::string plain_head(std::string_view message) {
  std::string out;
  size_t at = 0;
  while (at < message.size()) {
    size_t end = message.find_first_of("\r\n", at);
    if (end == kNone) end = message.size();
    std::string_view line = message.substr(at, end - at);
    at = end + (message.substr(end).starts_with("\r\n") ? 2 : 1);
    if (line.empty()) break;
    if ((line.front() == ' ' || line.front() == '\t') && out.size() > 2) {
      out.resize(out.size() - 2);
      out.append(" ").append(trimmed(line));
    } else if (size_t colon = line.find(':'); colon != kNone && !out.empty()) {
      // Blanks may stand before the colon (RFC 3261 section 25.1, HCOLON).
      out.append(trimmed(line.substr(0, colon))).append(line.substr(colon));
    } else {
      out.append(line);
    }
    out.append("\r\n");
  }
  return out.append("\r\n");
}

bool append_answer(const Scan& s, const NotifyAnswer& answer, HashKey tags, bool datagram, NetAddress& to, std::string& out) {
  if (s.via_count == 0) return false;
  out.append("SIP/2.0 ");
  number(out, static_cast<uint64_t>(answer.status));
  out.append(" ");
  for (char c : answer.reason) out.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  if (answer.reason.empty() && answer.status == 200) out.append("OK");
  out.append("\r\n");
  append_top_via(s.vias[0], datagram, to, out);
  for (unsigned i = 1; i < s.via_count; i++) out.append("Via: ").append(s.vias[i]).append("\r\n");
  auto copy = [&](const char* name, Field f) {
    if (s.has(f)) out.append(name).append(s[f]).append("\r\n");
  };
  copy("From: ", Field::From);
  if (s.has(Field::To)) append_to(s, tags, out);
  copy("Call-ID: ", Field::CallId);
  copy("CSeq: ", Field::CSeq);
  out.append(answer.headers).append("Content-Length: 0\r\n\r\n");
  return true;
}

}  // namespace pua
