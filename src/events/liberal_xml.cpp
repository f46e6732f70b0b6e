#include "events/liberal_xml.h"

#include <iconv.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include "events/text.h"

namespace pua {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool is_ascii(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Small letters and digits only: "ISO_8859-1" and "iso8859-1" are one.
std::string folded(std::string_view name) {
  std::string out;
  for (char c : name.substr(0, 32))
    if (c != '-' && c != '_') out += lower(c);
  return out;
}

// "12" within low ... high behind the prefix.
bool numbered(std::string_view name, std::string_view prefix, int low, int high) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  int n = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), n);
  return error == std::errc() && end == name.data() + name.size() && n >= low && n <= high;
}

// The system's name of an encoding; "UTF-8" also for its part US-ASCII. Empty: none of those that are taken. The system is
// asked for these only: it would load a module for each name that somebody invents.
std::string system_name(std::string_view declared) {
  std::string name = folded(declared);
  if (name == "utf8" || name == "usascii" || name == "ascii") return "UTF-8";
  if (name == "utf16" || name == "utf16le" || name == "utf16be") return "UTF-16";
  if (name == "latin1" || name == "l1") return "ISO-8859-1";
  if (name == "latin9") return "ISO-8859-15";
  if (numbered(name, "iso8859", 1, 16) && name != "iso885912") return "ISO-8859-" + name.substr(7);
  if (numbered(name, "windows", 1250, 1258)) return "CP" + name.substr(7);
  if (numbered(name, "cp", 1250, 1258)) return "CP" + name.substr(2);
  if (name == "koi8r") return "KOI8-R";
  return name == "koi8u" ? "KOI8-U" : "";
}

struct IconvEnd {
  void operator()(void* cd) const { iconv_close(static_cast<iconv_t>(cd)); }
};

Result<std::string> to_utf8(std::string_view text, const std::string& from) {
  iconv_t cd = iconv_open("UTF-8", from.c_str());
  if (cd == reinterpret_cast<iconv_t>(-1)) return {Errc::bad_body, "the system knows no encoding " + from};
  std::unique_ptr<void, IconvEnd> end(cd);
  std::string out(text.size() * 3 + 4, '\0');   // no octet of these becomes more than three
  char* in = const_cast<char*>(text.data());
  char* to = out.data();
  size_t left = text.size(), room = out.size();
  if (iconv(cd, &in, &left, &to, &room) == static_cast<size_t>(-1))
    return {Errc::bad_body, "octet " + std::to_string(text.size() - left) + " does not belong to the encoding " + from};
  out.resize(out.size() - room);
  return out;
}

// The XML declaration with its end, "" if there is none; and what it names as the encoding.
std::string_view declaration(std::string_view doc, std::string_view& encoding) {
  encoding = {};
  if (!doc.starts_with("<?xml") || doc.size() < 6 || kBlanks.find(doc[5]) == kBlanks.npos) return {};
  size_t end = doc.find("?>");
  if (end == doc.npos) return {};
  std::string_view decl = doc.substr(0, end + 2);
  size_t i = decl.find("encoding");
  if (i == decl.npos) return decl;
  i = decl.find_first_not_of(kBlanks, i + 8);
  if (i == decl.npos || decl[i] != '=') return decl;
  i = decl.find_first_of("\"'", i + 1);
  if (i == decl.npos) return decl;
  size_t close = decl.find(decl[i], i + 1);
  if (close != decl.npos) encoding = decl.substr(i + 1, close - i - 1);
  return decl;
}

// Walks what stands in front of the root element. Each step goes forward: linear, whatever was written.
class Prolog {
 public:
  explicit Prolog(std::string_view doc) : doc_(doc) {}

  // Past blanks, comments and processing instructions. false: one of them does not end.
  bool skip_misc() {
    for (;;) {
      at_ = std::min(doc_.find_first_not_of(kBlanks, at_), doc_.size());
      if (next("<!--") ? !past("-->", 4) : next("<?") ? !past("?>", 2) : true) return !next("<!--") && !next("<?");
    }
  }
  // Past "<!DOCTYPE ... [ ... ]>". Nothing that it declares or names is looked at.
  bool skip_doctype() {
    if (!next("<!DOCTYPE")) return false;
    if (!past_quoted("[>")) return false;
    if (doc_[at_ - 1] == '>') return true;
    if (!skip_subset()) return false;
    at_ = std::min(doc_.find_first_not_of(kBlanks, at_), doc_.size());
    return next(">") && ++at_;
  }
  std::string_view rest() const { return doc_.substr(at_); }

 private:
  bool next(std::string_view s) const { return doc_.substr(at_).starts_with(s); }
  bool past(std::string_view mark, size_t from) {
    size_t end = doc_.find(mark, at_ + from);
    if (end == doc_.npos) return false;
    at_ = end + mark.size();
    return true;
  }
  // Past the first of these characters that stands in no quotes.
  bool past_quoted(std::string_view ends) {
    for (char quote = 0; at_ < doc_.size(); at_++) {
      char c = doc_[at_];
      if (quote) quote = c == quote ? '\0' : quote;
      else if (c == '"' || c == '\'') quote = c;
      else if (ends.find(c) != ends.npos) return ++at_;
    }
    return false;
  }
  bool skip_subset() {
    while (skip_misc()) {
      if (next("]")) return ++at_;
      if (next("<!") ? !past_quoted(">") : next("%") ? !past(";", 1) : true) return false;
    }
    return false;
  }

  std::string_view doc_;
  size_t at_ = 0;
};

// Leaves out a document type in front of the root: nobody fetches what it names, nor expands what it declares. Without it, an
// entity that the document uses is not declared, but for the five of XML itself, and the reader refuses the document.
std::string_view without_doctype(std::string_view doc) {
  Prolog prolog(doc);
  return prolog.skip_misc() && prolog.skip_doctype() ? prolog.rest() : doc;
}

std::string_view trimmed_ends(std::string_view doc) {
  if (size_t last = doc.find_last_not_of('\0'); last != doc.npos) doc = doc.substr(0, last + 1);
  if (doc.starts_with("\xef\xbb\xbf")) doc.remove_prefix(3);
  size_t first = doc.find_first_not_of(kBlanks);
  return first == doc.npos ? doc : doc.substr(first);
}

// UTF-16 shows by its mark, or by the '<' that a document begins with.
const char* utf16(std::string_view doc) {
  if (doc.size() < 4) return nullptr;
  if (doc.starts_with("\xff\xfe") || (doc[0] == '<' && doc[1] == '\0')) return "UTF-16LE";
  return doc.starts_with("\xfe\xff") || (doc[0] == '\0' && doc[1] == '<') ? "UTF-16BE" : nullptr;
}

}  // namespace

Result<std::string_view> plain_xml(std::string_view doc, std::string& storage) {
  const char* wide = utf16(doc);
  if (wide) {
    if (doc[0] != '<' && doc[0] != '\0') doc.remove_prefix(2);
    Result<std::string> text = to_utf8(doc.substr(0, doc.size() & ~size_t{1}), wide);
    if (!text) return text.error();
    storage = std::move(*text);
    doc = storage;
  }
  std::string_view plain = trimmed_ends(doc), encoding;
  std::string_view decl = declaration(plain, encoding);
  std::string name = encoding.empty() || wide ? "UTF-8" : system_name(encoding);
  if (name.empty() || (name == "UTF-16" && !wide))
    return {Errc::bad_body, "the document declares the encoding " + quoted(encoding.substr(0, 64)) + ", which is not taken"};
  std::string_view rest = without_doctype(plain.substr(decl.size()));
  bool as_it_is = name == "UTF-8" || is_ascii(rest);
  // A declaration that says what is so may stay, for the reader wants its version looked at.
  if (as_it_is && rest.size() == plain.size() - decl.size() && (encoding.empty() || same_word(encoding, "utf-8")) && !wide)
    return plain;
  if (as_it_is) {
    if (!wide) return rest;
    storage = std::string(rest);
    return std::string_view(storage);
  }
  Result<std::string> text = to_utf8(rest, name);
  if (!text) return text.error();
  storage = std::move(*text);
  return std::string_view(storage);
}

}  // namespace pua
