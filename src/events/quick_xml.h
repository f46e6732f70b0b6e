// Quick reader of plain XML: one pass over the octets of a document as nearly every notifier writes it. What it does not
// know by heart is left to libxml2 (events/xml_reader.h), which is the judge of everything.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "events/xml_visitor.h"

namespace pua {

// Bounds of what it takes; all of them within those of events/xml_scan.h.
constexpr size_t kMaxQuickXml = 64 * 1024;    // octets
constexpr size_t kMaxQuickName = 256;         // octets of a name with its prefix
constexpr uint32_t kMaxQuickAttributes = 32;  // of one element, namespace declarations included
constexpr uint32_t kMaxQuickNamespaces = 16;  // in scope at a time
constexpr size_t kMaxQuickShown = 1024;       // elements, ends and pieces of text that the visitor is shown
constexpr size_t kMaxQuickKept = 2048;        // attributes of the elements that the visitor is shown

// Plain is: ASCII without control characters; an XML declaration of version 1.0 and UTF-8, or none; elements, attributes and
// text; the five named references and those by number of an ASCII character; namespace names that are plainly URIs. Not
// plain: comments, processing instructions, CDATA sections, document types, a line break in an attribute, "]]" in text,
// a carriage return without a line feed in text, and whatever is not well-formed.
//
// Keeps its memory between documents: none is asked for while one is read, but for the first ones.
class QuickXml {
 public:
  // True: the document is well-formed, with its namespaces, within all bounds, and the visitor has seen what libxml2 would
  // have shown it. False: the visitor has seen nothing, and nothing is known of the document.
  bool read(std::string_view doc, XmlVisitor& visitor);

 private:
  struct Name {
    std::string_view prefix, local;
  };
  struct Value {
    std::string_view text;
    bool escaped = false;  // holds references
  };
  struct Namespace {
    std::string_view prefix, uri;
  };
  struct Open {            // an element that has not ended
    std::string_view tag;  // its name with its prefix
    size_t outer = 0;      // namespaces in scope outside of it
  };
  struct Shown {  // what the visitor will be shown
    enum class Kind : uint8_t { Element, End, Text } kind = Kind::Element;
    uint16_t first = 0, count = 0;  // of attributes_
    uint32_t depth = 0, index = 0;
    std::string_view name, ns;  // Text: the piece, nothing
  };

  bool scan();
  bool declaration();
  bool text();
  bool open_tag();
  bool close_tag();
  bool attributes(size_t outer, bool& empty);
  bool declare(std::string_view prefix, const Value& uri, size_t outer);
  bool distinct(size_t first);
  bool element(std::string_view tag, const Name& name, size_t first, size_t outer, bool empty);
  void end_element();

  void blanks();
  bool name(Name& out);
  bool value(Value& out);
  const Namespace* in_scope(std::string_view prefix) const;
  std::string_view resolve(const Value&);
  bool piece(const char* from, const char* to);
  void replay(XmlVisitor&) const;

  const char* at_ = nullptr;  // what is read next
  const char* end_ = nullptr;
  uint32_t depth_ = 0, index_ = 0;
  uint32_t deepest_ = 0;  // as the visitor says
  bool text_wanted_ = false;
  size_t namespaces_ = 0;
  Open open_[kMaxXmlDepth];
  Namespace scope_[kMaxQuickNamespaces];
  std::vector<XmlAttribute> attributes_;  // of the shown elements, then those of the tag that is being read
  std::vector<Shown> shown_;
  std::string resolved_;  // values and text without their references; does not move during a document
};

}  // namespace pua
