// What a reader of XML showed of a document, as one line of text: two readers that agree give the same line.
#pragma once

#include <string>
#include <string_view>

#include "events/xml_visitor.h"

namespace pua {

// <depth:index:name{namespace} attribute{namespace}=value ...>, [text of an element, in one piece], </depth>.
struct SeenXml : XmlVisitor {
  explicit SeenXml(bool text = true, uint32_t depth = kMaxXmlDepth) : with_text(text), levels(depth) {}

  void element(const XmlElement& e) override {
    flush();
    seen += "<" + std::to_string(e.depth) + ":" + std::to_string(e.index) + ":" + named(e.name, e.ns);
    for (const XmlAttribute& a : e.attributes) seen += " " + named(a.name, a.ns) + "=" + std::string(a.value);
    seen += ">";
  }
  void end(uint32_t depth) override {
    flush();
    seen += "</" + std::to_string(depth) + ">";
  }
  void text(std::string_view piece, uint32_t depth) override {
    if (depth != text_depth) flush();
    text_depth = depth;
    pieces += piece;
  }
  bool wants_text() const override { return with_text; }
  uint32_t deepest() const override { return levels; }

  std::string seen;

 private:
  static std::string named(std::string_view name, std::string_view ns) {
    return std::string(name) + (ns.empty() ? std::string() : "{" + std::string(ns) + "}");
  }
  void flush() {
    if (!pieces.empty()) seen += "[" + std::to_string(text_depth) + ":" + pieces + "]";
    pieces.clear();
  }

  bool with_text;
  uint32_t levels, text_depth = 0;
  std::string pieces;
};

}  // namespace pua
