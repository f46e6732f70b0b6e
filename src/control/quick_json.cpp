#include "control/quick_json.h"

#include <cstdint>
#include <cstring>

#include "base/utf8.h"

namespace pua {

namespace {

constexpr uint64_t each(uint64_t octet) { return octet * 0x0101010101010101u; }

// In the highest bit of some octet, if one of the eight is zero.
constexpr uint64_t zero_octets(uint64_t eight) { return (eight - each(1)) & ~eight & each(0x80); }

// Whether one of eight octets is a quote, a backslash, a control character or not ASCII.
bool any_special(const char* at) {
  uint64_t eight;
  memcpy(&eight, at, sizeof eight);
  return ((eight | ((eight - each(0x20)) & ~eight)) & each(0x80)) != 0 || zero_octets(eight ^ each('"')) != 0 ||
         zero_octets(eight ^ each('\\')) != 0;
}

bool is_special(char c) {
  return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x80 || c == '"' || c == '\\';
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

class Reader {
 public:
  Reader(std::string_view text, JsonDocument& out) : at_(text.data()), end_(at_ + text.size()), out_(out) {}

  bool read() {
    if (!value({}, 0)) return false;
    blanks();
    return at_ == end_;
  }

 private:
  using Kind = JsonValue::Kind;

  void blanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) at_++;
  }
  // The next octet that is no blank; NUL, which no text may hold, at its end.
  char next() {
    blanks();
    return at_ == end_ ? '\0' : *at_;
  }

  bool value(std::string_view name, size_t depth) {
    if (out_.values.size() == kMaxQuickValues) return false;
    char c = next();
    size_t index = out_.values.size();
    JsonValue& v = out_.values.emplace_back();
    v.name = name;
    switch (c) {
      case '"':
        v.kind = Kind::String;
        return string(v.text);
      case '{': return object(index, depth);
      case '[': return array(index, depth);
      case 't':
        v.kind = Kind::True;
        return word("true");
      case 'f':
        v.kind = Kind::False;
        return word("false");
      case 'n': return word("null");
      default:
        v.kind = Kind::Integer;
        return integer(v.number);
    }
  }

  bool word(std::string_view w) {
    if (!std::string_view(at_, static_cast<size_t>(end_ - at_)).starts_with(w)) return false;
    at_ += w.size();
    return true;
  }

  bool integer(int64_t& out) {
    const bool negative = at_ != end_ && *at_ == '-';
    const char* digits = at_ += negative;
    int64_t number = 0;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') {
      if (static_cast<size_t>(at_ - digits) == kMaxQuickDigits) return false;
      number = number * 10 + (*at_++ - '0');
    }
    if (at_ == digits || (*digits == '0' && (negative || at_ - digits > 1))) return false;
    out = negative ? -number : number;
    return at_ == end_ || (*at_ != '.' && (*at_ | 0x20) != 'e');
  }

  bool array(size_t index, size_t depth) {
    at_++;
    if (depth == kMaxQuickDepth) return false;
    uint32_t count = 0;
    if (next() != ']') {
      do {
        if (!value({}, depth + 1)) return false;
        count++;
      } while (more());
    }
    return close(']', index, Kind::Array, count);
  }

  bool object(size_t index, size_t depth) {
    at_++;
    if (depth == kMaxQuickDepth) return false;
    uint32_t count = 0;
    if (next() != '}') {
      do {
        std::string_view name;
        if (count == kMaxQuickMembers || !member_name(name) || taken(index, count, name)) return false;
        if (next() != ':') return false;
        at_++;
        if (!value(name, depth + 1)) return false;
        count++;
      } while (more());
    }
    return close('}', index, Kind::Object, count);
  }

  bool more() {
    if (next() != ',') return false;
    at_++;
    return true;
  }

  bool close(char bracket, size_t index, Kind kind, uint32_t count) {
    if (next() != bracket) return false;
    at_++;
    JsonValue& v = out_.values[index];
    v.kind = kind;
    v.size = count;
    v.all = static_cast<uint32_t>(out_.values.size() - index);
    return true;
  }

  bool taken(size_t index, uint32_t count, std::string_view name) const {
    const JsonValue* v = &out_.values[index] + 1;
    for (uint32_t i = 0; i < count; i++, v = v->next()) {
      if (v->name == name) return true;
    }
    return false;
  }

  // Octets that stand for themselves; false: there are some that do not and are no UTF-8.
  bool run() {
    for (;;) {
      while (end_ - at_ >= 8 && !any_special(at_)) at_ += 8;
      while (at_ != end_ && !is_special(*at_)) at_++;
      if (at_ == end_ || static_cast<unsigned char>(*at_) < 0x80) return true;
      size_t n = utf8_sequence(reinterpret_cast<const unsigned char*>(at_), static_cast<size_t>(end_ - at_));
      if (n == 0) return false;
      at_ += n;
    }
  }

  bool member_name(std::string_view& out) {
    if (next() != '"') return false;
    const char* from = ++at_;
    if (!run() || at_ == end_ || *at_ != '"') return false;
    out = std::string_view(from, static_cast<size_t>(at_++ - from));
    return true;
  }

  bool string(std::string_view& out) {
    const char* from = ++at_;
    if (!run() || at_ == end_) return false;
    if (*at_ == '"') {
      out = std::string_view(from, static_cast<size_t>(at_++ - from));
      return true;
    }
    // Without its escapes it is shorter: nothing of this text makes the memory grow once more.
    std::string& memory = out_.unescaped;
    if (memory.empty()) memory.reserve(static_cast<size_t>(end_ - from));
    const size_t begin = memory.size();
    for (;;) {
      memory.append(from, static_cast<size_t>(at_ - from));
      if (*at_ == '"') break;
      char c;
      if (*at_ != '\\' || !escape(c)) return false;
      memory += c;
      from = at_;
      if (!run() || at_ == end_) return false;
    }
    at_++;
    out = std::string_view(memory).substr(begin);
    return true;
  }

  bool escape(char& out) {
    if (end_ - at_ < 2) return false;
    char c = at_[1];
    at_ += 2;
    switch (c) {
      case '"':
      case '\\':
      case '/': out = c; return true;
      case 'n': out = '\n'; return true;
      case 'r': out = '\r'; return true;
      case 't': out = '\t'; return true;
      case 'b': out = '\b'; return true;
      case 'f': out = '\f'; return true;
      case 'u': break;
      default: return false;
    }
    if (end_ - at_ < 4 || at_[0] != '0' || at_[1] != '0') return false;
    const int high = hex(at_[2]), low = hex(at_[3]);
    at_ += 4;
    if (high < 0 || high > 7 || low < 0 || high + low == 0) return false;
    out = static_cast<char>(high * 16 + low);
    return true;
  }

  const char *at_, *end_;
  JsonDocument& out_;
};

}  // namespace

bool read_quick_json(std::string_view text, JsonDocument& out) {
  out.clear();
  return Reader(text, out).read();
}

}  // namespace pua
