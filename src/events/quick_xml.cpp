#include "events/quick_xml.h"

#include <array>
#include <cstring>

#include "events/text.h"

namespace pua {

namespace {

// What an octet may be part of.
enum Class : uint8_t { kBlank = 1, kNameStart = 2, kNamePart = 4, kText = 8, kValue = 16, kUri = 32 };

constexpr std::array<uint8_t, 256> kClasses = [] {
  std::array<uint8_t, 256> of{};
  auto add = [&](std::string_view octets, int classes) {
    for (char c : octets) of[static_cast<unsigned char>(c)] |= static_cast<uint8_t>(classes);
  };
  for (size_t c = 0x20; c < 0x7f; c++) of[c] = c == '<' || c == '&' ? 0 : kText | kValue;
  for (char c : std::string_view("\"'")) of[static_cast<unsigned char>(c)] &= static_cast<uint8_t>(~kValue);
  of[']'] &= static_cast<uint8_t>(~kText);
  add(" \t\r\n", kBlank);
  add("\t\n", kText);
  add("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", kNameStart | kNamePart | kUri);
  add("_", kNameStart | kNamePart | kUri);
  add("0123456789-.", kNamePart | kUri);
  add(":/~", kUri);
  return of;
}();

bool is(char c, Class what) { return (kClasses[static_cast<unsigned char>(c)] & what) != 0; }

const char* skip(const char* at, const char* end, Class what) {
  while (at != end && is(*at, what)) at++;
  return at;
}

constexpr std::string_view kXmlNamespace = "http://www.w3.org/XML/1998/namespace";
constexpr std::string_view kXmlnsNamespace = "http://www.w3.org/2000/xmlns/";

// A namespace name that is a URI for every reader of RFC 3986: a scheme of letters, then "//", a host of letters, digits,
// dots and hyphens, and a path, or a path that does not begin with a slash.
bool is_plain_uri(std::string_view s) {
  const char *at = s.data(), *end = at + s.size();
  while (at != end && is(*at, kNameStart) && *at != '_') at++;
  if (at == s.data() || end - at < 2 || *at != ':') return false;
  if (*++at == '/') {
    if (*++at != '/' || ++at == end || !is(*at, kNameStart)) return false;
    at = skip(at, end, kNamePart);
    if (at != end && *at != '/') return false;
    if (s == kXmlNamespace || s == kXmlnsNamespace) return false;
  }
  return skip(at, end, kUri) == end;
}

// The octet that a reference stands for. at: behind the '&'; moved behind the ';'. 0: not a plain reference.
char reference(const char*& at, const char* end) {
  std::string_view rest(at, std::min<size_t>(static_cast<size_t>(end - at), 9));
  size_t length = rest.find(';');
  if (length == std::string_view::npos) return 0;
  at += length + 1;
  rest = rest.substr(0, length);
  if (!rest.starts_with('#')) {
    return rest == "lt" ? '<' : rest == "gt" ? '>' : rest == "amp" ? '&' : rest == "quot" ? '"' : rest == "apos" ? '\'' : '\0';
  }
  rest.remove_prefix(1);
  const bool hex = rest.starts_with('x');
  if (hex) rest.remove_prefix(1);
  uint32_t number = 0;
  for (char c : rest) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && !(hex && lower(c) >= 'a' && lower(c) <= 'f')) return 0;
    number = number * (hex ? 16 : 10) + static_cast<uint32_t>(digit ? c - '0' : lower(c) - 'a' + 10);
  }
  bool plain = (number >= 0x20 && number < 0x7f) || number == '\t' || number == '\n' || number == '\r';
  return plain ? static_cast<char>(number) : '\0';
}

}  // namespace

bool QuickXml::read(std::string_view doc, XmlVisitor& visitor) {
  if (doc.size() > kMaxQuickXml) return false;
  at_ = doc.data();
  end_ = at_ + doc.size();
  depth_ = index_ = 0;
  deepest_ = visitor.deepest();
  text_wanted_ = visitor.wants_text();
  namespaces_ = 0;
  attributes_.clear();
  shown_.clear();
  resolved_.clear();
  if (!scan()) return false;
  replay(visitor);
  return true;
}

bool QuickXml::scan() {
  if (!declaration()) return false;
  for (bool root = false;;) {
    if (depth_ > 0) {
      if (!text()) return false;
    } else {
      blanks();
      if (at_ == end_) return root;
      if (*at_ != '<' || root) return false;
    }
    if (++at_ == end_) return false;
    if (*at_ == '/' ? !close_tag() : !open_tag()) return false;
    root = true;
  }
}

// <?xml version="1.0" encoding="UTF-8" standalone="yes"?>, from the first octet on; the last two may be missing.
bool QuickXml::declaration() {
  constexpr std::string_view kBegin = "<?xml ";
  if (!std::string_view(at_, static_cast<size_t>(end_ - at_)).starts_with(kBegin)) return true;
  at_ += kBegin.size();
  static constexpr std::string_view kNames[] = {"version", "encoding", "standalone"};
  for (size_t next = 0;; next++) {
    const char* before = at_;
    blanks();
    if (end_ - at_ >= 2 && at_[0] == '?' && at_[1] == '>') {
      at_ += 2;
      return next > 0;
    }
    Name n;
    Value v;
    if ((next > 0 && at_ == before) || !name(n) || !n.prefix.empty() || !value(v)) return false;
    while (next < std::size(kNames) && n.local != kNames[next]) {
      if (next++ == 0) return false;  // the version is not first
    }
    if (next == std::size(kNames)) return false;
    const bool known = next == 0   ? v.text == "1.0"
                       : next == 1 ? same_word(v.text, "utf-8")
                                   : v.text == "yes" || v.text == "no";
    if (!known) return false;
  }
}

// Up to the next '<'.
bool QuickXml::text() {
  const char* from = at_;
  for (const char* at = from;; at++) {
    at = skip(at, end_, kText);
    if (at == end_) return false;  // an element has not ended
    switch (*at) {
      case '<': at_ = at; return piece(from, at);
      case ']':
        if (at + 1 != end_ && at[1] == ']') return false;
        break;
      case '\r':  // "\r\n" is "\n"
        if (at + 1 == end_ || at[1] != '\n' || !piece(from, at)) return false;
        from = at + 1;
        break;
      case '&': {
        const char* behind = at + 1;
        if (!piece(from, at) || !reference(behind, end_)) return false;
        std::string_view octet = resolve({{at, static_cast<size_t>(behind - at)}, true});
        if (!piece(octet.data(), octet.data() + octet.size())) return false;
        from = behind;
        at = behind - 1;
        break;
      }
      default: return false;
    }
  }
}

bool QuickXml::close_tag() {
  if (depth_ == 0) return false;
  std::string_view tag = open_[depth_ - 1].tag;
  at_++;
  if (static_cast<size_t>(end_ - at_) <= tag.size() || memcmp(at_, tag.data(), tag.size()) != 0) return false;
  at_ += tag.size();
  blanks();
  if (at_ == end_ || *at_ != '>') return false;
  at_++;
  end_element();
  return shown_.size() <= kMaxQuickShown;
}

bool QuickXml::open_tag() {
  const char* begin = at_;
  Name n;
  if (!name(n) || depth_ == kMaxXmlDepth) return false;
  std::string_view tag(begin, static_cast<size_t>(at_ - begin));
  size_t outer = namespaces_, first = attributes_.size();
  bool empty = false;
  return attributes(outer, empty) && distinct(first) && element(tag, n, first, outer, empty);
}

// The rest of a start tag. An attribute's prefix stands in the place of its namespace: that one may be declared behind it.
bool QuickXml::attributes(size_t outer, bool& empty) {
  for (uint32_t count = 0;; count++) {
    const char* before = at_;
    blanks();
    if (at_ == end_) return false;
    empty = *at_ == '/';
    if (empty && ++at_ == end_) return false;
    if (*at_ == '>') {
      at_++;
      return true;
    }
    Name n;
    Value v;
    if (empty || at_ == before || count == kMaxQuickAttributes || !name(n) || !value(v)) return false;
    if (n.prefix == "xmlns" || (n.prefix.empty() && n.local == "xmlns")) {
      if (!declare(n.prefix.empty() ? std::string_view() : n.local, v, outer)) return false;
    } else {
      if (attributes_.size() == kMaxQuickKept) return false;
      attributes_.push_back({n.local, n.prefix, resolve(v)});
      if (attributes_.back().value.data() == nullptr) return false;
    }
  }
}

bool QuickXml::declare(std::string_view prefix, const Value& uri, size_t outer) {
  if (namespaces_ == kMaxQuickNamespaces || uri.escaped || prefix.starts_with("xml")) return false;
  if (uri.text.empty() ? !prefix.empty() : !is_plain_uri(uri.text)) return false;  // xmlns="": no default any more
  for (size_t i = outer; i < namespaces_; i++) {
    if (scope_[i].prefix == prefix) return false;
  }
  scope_[namespaces_++] = {prefix, uri.text};
  return true;
}

// The namespaces of a tag's attributes; none of them is there twice.
bool QuickXml::distinct(size_t first) {
  for (size_t i = first; i < attributes_.size(); i++) {
    XmlAttribute& a = attributes_[i];
    if (a.ns == "xml") {
      a.ns = kXmlNamespace;
    } else if (!a.ns.empty()) {
      const Namespace* ns = in_scope(a.ns);
      if (!ns) return false;
      a.ns = ns->uri;
    }
    for (size_t k = first; k < i; k++) {
      if (attributes_[k].name == a.name && attributes_[k].ns == a.ns) return false;
    }
  }
  return true;
}

bool QuickXml::element(std::string_view tag, const Name& n, size_t first, size_t outer, bool empty) {
  const Namespace* ns = in_scope(n.prefix);
  if (!ns && !n.prefix.empty()) return false;
  open_[depth_++] = {tag, outer};
  if (depth_ <= deepest_) {
    Shown s;
    s.first = static_cast<uint16_t>(first);
    s.count = static_cast<uint16_t>(attributes_.size() - first);
    s.depth = depth_;
    s.index = index_;
    s.name = n.local;
    if (ns) s.ns = ns->uri;
    shown_.push_back(s);
  } else {
    attributes_.resize(first);
  }
  index_++;
  if (empty) end_element();
  return shown_.size() <= kMaxQuickShown;
}

void QuickXml::end_element() {
  if (depth_ <= deepest_) {
    Shown& s = shown_.emplace_back();
    s.kind = Shown::Kind::End;
    s.depth = depth_;
  }
  namespaces_ = open_[--depth_].outer;
}

void QuickXml::blanks() { at_ = skip(at_, end_, kBlank); }

bool QuickXml::name(Name& out) {
  const char *at = at_, *colon = nullptr;
  for (;;) {
    if (at == end_ || !is(*at, kNameStart)) return false;
    at = skip(at, end_, kNamePart);
    if (colon || at == end_ || *at != ':') break;
    colon = at++;
  }
  const char* local = colon ? colon + 1 : at_;
  if (static_cast<size_t>(at - at_) > kMaxQuickName) return false;
  out.prefix = colon ? std::string_view(at_, static_cast<size_t>(colon - at_)) : std::string_view();
  out.local = std::string_view(local, static_cast<size_t>(at - local));
  at_ = at;
  return true;
}

// = and what is in quotes behind it.
bool QuickXml::value(Value& out) {
  if (end_ - at_ < 3 || *at_ != '=') return false;
  const char quote = at_[1], *from = at_ + 2;
  if (quote != '"' && quote != '\'') return false;
  const char* at = from;
  for (;; at++) {
    at = skip(at, end_, kValue);
    if (at == end_) return false;
    if (*at == quote) break;
    if (*at == '&') out.escaped = true;
    else if (*at != '"' && *at != '\'') return false;
  }
  out.text = std::string_view(from, static_cast<size_t>(at - from));
  at_ = at + 1;
  return true;
}

// The innermost declaration of a prefix, empty: of the default.
const QuickXml::Namespace* QuickXml::in_scope(std::string_view prefix) const {
  for (size_t i = namespaces_; i-- > 0;) {
    if (scope_[i].prefix == prefix) return &scope_[i];
  }
  return nullptr;
}

// The value with its references resolved. A view without data: one of them is not plain.
std::string_view QuickXml::resolve(const Value& v) {
  if (!v.escaped) return v.text;
  // A resolved value is shorter than the written one: with this room the string never has to grow during this document.
  if (resolved_.empty()) resolved_.reserve(static_cast<size_t>(end_ - v.text.data()));
  size_t begin = resolved_.size();
  const char *at = v.text.data(), *end = at + v.text.size();
  while (at != end) {
    char c = *at++;
    if (c == '&' && !(c = reference(at, end))) return {};
    resolved_ += c;
  }
  return std::string_view(resolved_).substr(begin);
}

bool QuickXml::piece(const char* from, const char* to) {
  if (!text_wanted_ || from == to || depth_ > deepest_) return true;
  Shown& s = shown_.emplace_back();
  s.kind = Shown::Kind::Text;
  s.depth = depth_;
  s.name = std::string_view(from, static_cast<size_t>(to - from));
  return shown_.size() <= kMaxQuickShown;
}

void QuickXml::replay(XmlVisitor& visitor) const {
  for (const Shown& s : shown_) {
    switch (s.kind) {
      case Shown::Kind::Element:
        visitor.element({s.name, s.ns, s.depth, s.index, std::span(attributes_).subspan(s.first, s.count)});
        break;
      case Shown::Kind::End: visitor.end(s.depth); break;
      case Shown::Kind::Text: visitor.text(s.name, s.depth); break;
    }
  }
}

}  // namespace pua
