// Reads untrusted XML: plain documents in one quick pass, all others with libxml2's SAX interface: no tree, no entities, no
// network, bounded, quiet.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "events/quick_xml.h"
#include "events/xml_visitor.h"

struct _xmlParserCtxt;

namespace pua {

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
  // The same for what others write: encodings, document types and what stands around a document as events/liberal_xml.h takes
  // them, and prefixes that are not declared (they are then part of the names).
  Status read_liberally(std::string_view doc, XmlVisitor& visitor);
  // The same by libxml2 alone, for tests that compare the quick reader with it.
  Status parse(std::string_view doc, XmlVisitor& visitor);

  // How many names of past documents it holds: bounded, whatever senders invent.
  size_t names() const;

 private:
  struct Run;
  bool prepare();
  Status parse(std::string_view doc, XmlVisitor& visitor, bool namespaces);

  std::unique_ptr<QuickXml> quick_;
  _xmlParserCtxt* context_ = nullptr;
  std::array<XmlAttribute, kMaxXmlAttributes> attributes_;  // of the element that is shown
};

}  // namespace pua
