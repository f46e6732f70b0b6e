// Reads untrusted XML with libxml2's SAX interface: no tree, no entities, no network, bounded, quiet.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

struct _xmlParserCtxt;

namespace pua {

// An element as it starts. Views are valid during the visit.
struct XmlElement {
  std::string_view name, ns;   // local name; namespace name, empty: none
  uint32_t depth = 0;          // 1: the root element
  uint32_t index = 0;          // number of its start tag, 0: the root element
  // Value of an attribute without prefix, references resolved; false: it has none.
  bool attribute(std::string_view local_name, std::string_view& value) const;

  const unsigned char* const* raw_attributes = nullptr;  // libxml2's: name, prefix, namespace, value, end
  int raw_count = 0;
};

struct XmlVisitor {
  virtual ~XmlVisitor() = default;
  virtual void element(const XmlElement&) = 0;
  // The element at this depth ends.
  virtual void end(uint32_t /*depth*/) {}
  // Text (references resolved, CDATA sections too) directly in the element at this depth; it may come in pieces.
  // Only for a visitor that wants it: most documents are mostly blanks between tags.
  virtual void text(std::string_view /*piece*/, uint32_t /*depth*/) {}
  virtual bool wants_text() const { return false; }
};

// Keeps one parser context and uses it again: making one costs more than reading a small document.
class XmlReader {
 public:
  XmlReader();
  ~XmlReader();
  XmlReader(const XmlReader&) = delete;
  XmlReader& operator=(const XmlReader&) = delete;

  // Shows each element to the visitor, in order. The visitor may have seen a part of a document that is then refused.
  // Errors (bad_body; too_large for the size): outside the bounds of events/xml_scan.h, not well-formed, a namespace
  // prefix that is not declared, not UTF-8. The message says what and on which line. no_memory.
  Status read(std::string_view doc, XmlVisitor& visitor);

  // How many names of past documents it holds: bounded, whatever senders invent.
  size_t names() const;

 private:
  struct Run;
  bool prepare();

  _xmlParserCtxt* context_ = nullptr;
};

}  // namespace pua
