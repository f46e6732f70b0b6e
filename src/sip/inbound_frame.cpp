#include "sip/inbound_frame.h"

#include <algorithm>

#include "base/words.h"

namespace pua {
namespace {

// No method is that long; what has no space by then will not become a request.
constexpr size_t kLongestMethod = 64;

bool space(char c) { return c == ' ' || c == '\t'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
std::string_view without_white(std::string_view s) { return trimmed(s, kWhite); }

// "SIP/2.0", in any case and of any version: whether that one is spoken is not decided here.
bool version(std::string_view s) {
  if (s.size() < 7 || !same_word(s.substr(0, 4), "SIP/")) return false;
  s.remove_prefix(4);
  size_t dot = s.find('.');
  return dot != 0 && dot != std::string_view::npos && dot + 1 < s.size() && std::all_of(s.begin(), s.begin() + dot, digit) &&
         std::all_of(s.begin() + dot + 1, s.end(), digit);
}

// A request line or a status line, as far as it takes to tell SIP from something else.
bool start_line(std::string_view line) {
  while (!line.empty() && space(line.back())) line.remove_suffix(1);
  size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == 0) return false;
  if (version(line.substr(0, first))) {
    std::string_view code = line.substr(first + 1, 3);
    return code.size() == 3 && std::all_of(code.begin(), code.end(), digit);
  }
  std::string_view method = line.substr(0, first);
  return last > first && std::all_of(method.begin(), method.end(), is_token_char) && version(line.substr(last + 1));
}

}  // namespace

bool names(std::string_view name, std::string_view full, char compact) {
  return same_word(name, full) || (compact && name.size() == 1 && lower(name[0]) == compact);
}

HeadLines::HeadLines(std::string_view head) : rest_(head) {
  rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size() - 1) + 1);  // the start line
}

bool HeadLines::next(Line& out) {
  if (rest_.empty() || rest_[0] == '\n' || (rest_[0] == '\r' && rest_.substr(1, 1) == "\n")) return false;
  size_t end = 0;
  do end = std::min(rest_.find('\n', end), rest_.size() - 1) + 1;
  while (end < rest_.size() && space(rest_[end]));
  out.text = rest_.substr(0, end);
  rest_.remove_prefix(end);
  size_t colon = out.text.find(':');
  out.name = colon == std::string_view::npos ? std::string_view() : without_white(out.text.substr(0, colon));
  out.value = colon == std::string_view::npos ? std::string_view() : without_white(out.text.substr(colon + 1));
  return true;
}

Framing::Found Framing::next(std::string_view in) {
  if (skip_ > 0) {
    size_t n = std::min(skip_, in.size());
    skip_ -= n;
    return n == 0 ? Found{} : Found{Kind::Skip, n};
  }
  if (scan_ == 0) {
    if (in.empty()) return {};
    if (in[0] == '\r' || in[0] == '\n') return line_end(in);
    if (!is_token_char(in[0])) return {Kind::NotSip};
    half_ping_ = false;
  }
  Found found;
  if (head_ == 0 && !find_head(in, found)) return found;
  if (total_ == 0) {
    found = measured(in.substr(0, head_));
    if (found.kind == Kind::Long) scan_ = line_ = head_ = 0;
    if (found.kind != Kind::Message) return found;
    total_ = found.length;
  }
  if (in.size() < total_) return {};
  found = {Kind::Message, total_};
  scan_ = line_ = head_ = total_ = 0;
  return found;
}

// Before a message: one means nothing (RFC 3261 section 7.5), two are a keep-alive.
Framing::Found Framing::line_end(std::string_view in) {
  if (in[0] == '\r' && in.size() == 1) return {};
  if (in[0] == '\r' && in[1] != '\n') return {Kind::NotSip};
  half_ping_ = !half_ping_;
  return {half_ping_ ? Kind::Skip : Kind::Ping, in[0] == '\n' ? 1u : 2u};
}

bool Framing::find_head(std::string_view in, Found& out) {
  while (head_ == 0) {
    size_t end = in.find('\n', scan_);
    if (end == std::string_view::npos) {
      scan_ = in.size();
      if (line_ == 0 && in.size() > kLongestMethod && in.substr(0, kLongestMethod).find(' ') == std::string_view::npos)
        out = {Kind::NotSip};
      else if (in.size() >= most_)
        out = {Kind::Endless};
      return false;
    }
    scan_ = end + 1;
    std::string_view line = in.substr(line_, end - line_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line_ == 0 && !start_line(line)) {
      out = {Kind::NotSip};
      return false;
    }
    if (line.empty()) head_ = scan_;
    line_ = scan_;
  }
  if (head_ <= most_) return true;
  out = {Kind::Endless};
  return false;
}

// How long is the message with this head?
Framing::Found Framing::measured(std::string_view head) {
  auto refuse = [&](int status, const char* reason) { return Found{Kind::Refuse, head.size(), status, reason}; };
  HeadLines lines(head);
  HeadLines::Line line;
  bool seen = false;
  std::string_view number;
  while (lines.next(line)) {
    if (!names(line.name, "Content-Length", 'l')) continue;
    if (seen) return refuse(400, "Content-Length Given Twice");
    seen = true;
    number = line.value;
  }
  // A stream has no other mark of where a message ends (RFC 3261 section 18.3).
  if (!seen) return refuse(400, "Content-Length Missing");
  if (number.empty() || !std::all_of(number.begin(), number.end(), digit)) return refuse(400, "Bad Content-Length");
  while (number.size() > 1 && number[0] == '0') number.remove_prefix(1);
  if (number.size() > 9) return refuse(400, "Bad Content-Length");
  size_t body = 0;
  for (char c : number) body = body * 10 + static_cast<size_t>(c - '0');
  if (head.size() + body > most_) return {Kind::Long, head.size(), 413, "Request Entity Too Large", body};
  return {Kind::Message, head.size() + body};
}

}  // namespace pua
