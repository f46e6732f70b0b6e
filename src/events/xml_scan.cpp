#include "events/xml_scan.h"

#include <cstring>

#include "events/text.h"

namespace pua {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

size_t skip_blanks(std::string_view s, size_t i) {
  while (i < s.size() && is_blank(s[i])) i++;
  return i;
}

Status bad(const char* what) { return {Errc::bad_body, what}; }

// What <?xml ... encoding="..."?> names; empty: nothing.
std::string_view declared_encoding(std::string_view doc) {
  if (!doc.starts_with("<?xml")) return {};
  std::string_view decl = doc.substr(0, doc.find("?>"));
  size_t i = decl.find("encoding");
  if (i == std::string_view::npos) return {};
  i = skip_blanks(decl, i + 8);
  if (i >= decl.size() || decl[i] != '=') return {};
  i = skip_blanks(decl, i + 1);
  if (i >= decl.size()) return {};
  size_t end = decl.find(decl[i], i + 1);
  return decl.substr(i + 1, end == std::string_view::npos ? end : end - i - 1);
}

void append_escaped(std::string& out, std::string_view value) {
  for (char c : value) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '"': out += "&quot;"; break;
      case '\t': out += "&#9;"; break;
      case '\n': out += "&#10;"; break;
      case '\r': out += "&#13;"; break;
      default: out += c;
    }
  }
}

// The tag with one attribute set. The tag is well-formed.
void append_edited(std::string& out, std::string_view tag, const AttributeEdit& e) {
  size_t name_end = 1;
  while (!is_blank(tag[name_end]) && tag[name_end] != '>' && tag[name_end] != '/') name_end++;
  for (size_t i = skip_blanks(tag, name_end); tag[i] != '>' && tag[i] != '/'; i = skip_blanks(tag, i)) {
    size_t name = i;
    while (!is_blank(tag[i]) && tag[i] != '=') i++;
    bool found = tag.substr(name, i - name) == e.name;
    i = skip_blanks(tag, skip_blanks(tag, i) + 1);
    size_t value_end = tag.find(tag[i], i + 1);
    if (found) {
      out.append(tag.substr(0, i)).append("\"");
      append_escaped(out, e.value);
      out.append("\"").append(tag.substr(value_end + 1));
      return;
    }
    i = value_end + 1;
  }
  out.append(tag.substr(0, name_end)).append(" ").append(e.name).append("=\"");
  append_escaped(out, e.value);
  out.append("\"").append(tag.substr(name_end));
}

}  // namespace

TagScanner::Step TagScanner::skip_past(std::string_view mark) {
  size_t at = doc_.find(mark, pos_);
  if (at == std::string_view::npos) return Step::Broken;
  pos_ = at + mark.size();
  return Step::Done;
}

TagScanner::Step TagScanner::open_tag(size_t begin) {
  attributes_ = 0;
  char quote = 0;
  for (; pos_ < doc_.size(); pos_++) {
    char c = doc_[pos_];
    if (quote) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '=') {
      attributes_++;
    } else if (c == '>') {
      tag_ = doc_.substr(begin, ++pos_ - begin);
      return tag_[tag_.size() - 2] == '/' ? Step::Empty : Step::Start;
    }
  }
  return Step::Broken;
}

TagScanner::Step TagScanner::next() {
  for (;;) {
    size_t begin = doc_.find('<', pos_);
    if (begin == std::string_view::npos) return Step::Done;
    pos_ = begin + 1;
    std::string_view rest = doc_.substr(pos_);
    Step skipped;
    if (rest.starts_with("!--")) {
      pos_ += 3;
      skipped = skip_past("-->");
    } else if (rest.starts_with("![CDATA[")) {
      skipped = skip_past("]]>");
    } else if (rest.starts_with("?")) {
      skipped = skip_past("?>");
    } else if (rest.starts_with("!")) {
      return Step::Doctype;
    } else if (rest.starts_with("/")) {
      skipped = skip_past(">");
      return skipped == Step::Broken ? skipped : Step::End;
    } else {
      return open_tag(begin);
    }
    if (skipped == Step::Broken) return skipped;
  }
}

Status check_xml_bounds(std::string_view doc) {
  if (doc.size() > kMaxXmlSize) return {Errc::too_large, "the document is longer than 1048576 octets"};
  if (doc.empty()) return bad("the document is empty");
  if (memchr(doc.data(), 0, doc.size())) return bad("the document holds a NUL octet");
  if (doc.starts_with("\xef\xbb\xbf")) doc.remove_prefix(3);
  // Starting at '<' also keeps out UTF-16 without NUL and EBCDIC, which a parser would guess from the first octets.
  if (size_t i = skip_blanks(doc, 0); i >= doc.size() || doc[i] != '<')
    return bad("not an XML document: it does not begin with '<'");
  std::string_view encoding = declared_encoding(doc);
  if (!encoding.empty() && !same_word(encoding, "utf-8") && !same_word(encoding, "us-ascii")) {
    return bad("the document declares an encoding other than UTF-8");
  }
  TagScanner scan(doc);
  for (uint32_t depth = 0;;) {
    TagScanner::Step step = scan.next();
    switch (step) {
      case TagScanner::Step::Doctype: return bad("document type declarations and entities are not accepted");
      case TagScanner::Step::End: depth -= depth > 0; break;
      case TagScanner::Step::Start:
      case TagScanner::Step::Empty:
      case TagScanner::Step::Broken:
        if (scan.attributes() > kMaxXmlAttributes) return bad("an element has more than 64 attributes");
        if (step == TagScanner::Step::Start && ++depth > kMaxXmlDepth) return bad("elements are nested deeper than 64 levels");
        if (step == TagScanner::Step::Broken) return success();  // the parser says where
        break;
      case TagScanner::Step::Done: return success();
    }
  }
}

std::string set_attributes(std::string_view doc, std::span<const AttributeEdit> edits) {
  std::string out;
  out.reserve(doc.size() + 64 * edits.size());
  TagScanner scan(doc);
  size_t copied = 0;
  uint32_t element = 0;
  for (const AttributeEdit& e : edits) {
    for (TagScanner::Step step = scan.next();; step = scan.next()) {
      if (step == TagScanner::Step::End) continue;
      if (step != TagScanner::Step::Start && step != TagScanner::Step::Empty) return out;  // not well-formed after all
      if (element++ == e.element) break;
    }
    out.append(doc.substr(copied, scan.tag_begin() - copied));
    append_edited(out, scan.tag(), e);
    copied = scan.tag_begin() + scan.tag().size();
  }
  return out.append(doc.substr(copied));
}

}  // namespace pua
