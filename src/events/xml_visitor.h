// What the readers of XML show of a document, and who looks at it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "events/xml_scan.h"

namespace pua {

struct XmlAttribute {
  std::string_view name, ns, value;  // local name; namespace name, empty: it has no prefix; references resolved
};

// An element as it starts. Views are valid during the visit.
struct XmlElement {
  std::string_view name, ns;                      // local name; namespace name, empty: none
  uint32_t depth = 0;                             // 1: the root element
  uint32_t index = 0;                             // number of its start tag, 0: the root element
  std::span<const XmlAttribute> attributes = {};  // in the document's order, without namespace declarations

  // Value of an attribute without prefix; false: it has none.
  bool attribute(std::string_view local_name, std::string_view& out) const {
    for (const XmlAttribute& a : attributes) {
      if (!a.ns.empty() || a.name != local_name) continue;
      out = a.value;
      return true;
    }
    return false;
  }
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
  // Elements below this depth, their ends and their text are not shown: 1 for a visitor that looks at the root alone.
  virtual uint32_t deepest() const { return kMaxXmlDepth; }
};

}  // namespace pua
