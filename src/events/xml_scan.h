// An XML document by its octets: bounds that hold before a parser sees it, and attributes set in place after it did.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pua {

// Bounds. A presence document has a handful of levels and attributes; what has more is refused before it costs time:
// libxml2 compares each attribute of an element with all others.
constexpr size_t kMaxXmlSize = 1 << 20;      // octets
constexpr uint32_t kMaxXmlDepth = 64;
constexpr uint32_t kMaxXmlAttributes = 64;   // of one element, namespace declarations included

// Walks the tags of a document in order, over comments, CDATA sections and processing instructions.
// The n-th start tag is the n-th element a parser reports if the document is well-formed.
class TagScanner {
 public:
  enum class Step : uint8_t {
    Start,     // <name ...>
    Empty,     // <name .../>
    End,       // </name>
    Done,      // no more tags
    Doctype,   // <!DOCTYPE or another declaration
    Broken     // a tag, comment or section that does not end
  };
  explicit TagScanner(std::string_view doc) : doc_(doc) {}
  Step next();
  // Of the last Start or Empty: the octets from '<' to '>', where they begin, and the number of '=' outside quotes.
  std::string_view tag() const { return tag_; }
  size_t tag_begin() const { return static_cast<size_t>(tag_.data() - doc_.data()); }
  uint32_t attributes() const { return attributes_; }

 private:
  Step skip_past(std::string_view mark);
  Step open_tag(size_t begin);

  std::string_view doc_, tag_;
  size_t pos_ = 0;
  uint32_t attributes_ = 0;
};

// Refuses what the reader must not see. Errors (bad_body): empty, no XML at its start, NUL, a declared encoding other than
// UTF-8 or US-ASCII, a document type declaration, too deep, too many attributes; too_large: over kMaxXmlSize.
// Passing says nothing of well-formedness.
Status check_xml_bounds(std::string_view doc);

// An attribute to set: replaced where the element has it, else added behind the element's name.
struct AttributeEdit {
  uint32_t element = 0;        // number of the start tag, 0 = root
  std::string_view name;       // without prefix
  std::string value;           // not escaped
};

// The document with the edits done, otherwise the same octets. doc: well-formed. edits: sorted by element, one an element.
std::string set_attributes(std::string_view doc, std::span<const AttributeEdit> edits);

}  // namespace pua
