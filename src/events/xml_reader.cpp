#include "events/xml_reader.h"

#include <libxml/SAX2.h>
#include <libxml/dict.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "events/liberal_xml.h"
#include "events/xml_scan.h"

namespace pua {

// In scope at a time. libxml2 looks through all of them for each prefix.
constexpr int kMaxNamespaces = 64;
// Names a context may have collected before it is replaced: what a sender invents must not stay for ever.
constexpr size_t kMaxNames = 2000;
constexpr size_t kMaxNameOctets = 256 * 1024;

struct XmlReader::Run {
  XmlVisitor* visitor = nullptr;
  xmlParserCtxtPtr context = nullptr;
  XmlAttribute* attributes = nullptr;  // room for kMaxXmlAttributes
  uint32_t deepest = 0;                // that the visitor wants to see
  uint32_t depth = 0, index = 0;
  int namespaces = 0;                  // in scope
  uint8_t declared[kMaxXmlDepth + 1];  // how many of them each open element brought; set when it starts
  bool namespaces_count = true;        // prefixes that are not declared are errors
  Errc code = Errc::ok;
  std::string error;                   // the first one

  void fail(Errc c, std::string what) {
    if (code != Errc::ok) return;
    code = c;
    error = std::move(what);
  }

  static void start(void* self, const xmlChar* name, const xmlChar*, const xmlChar* uri, int ns_count, const xmlChar**,
                    int count, int, const xmlChar** attributes) {
    Run& r = *static_cast<Run*>(self);
    r.namespaces += ns_count;
    if (r.depth >= kMaxXmlDepth || r.namespaces > kMaxNamespaces) {
      r.fail(Errc::bad_body, r.depth >= kMaxXmlDepth ? "elements are nested deeper than 64 levels"
                                                     : "more than 64 namespaces are declared at a time");
      xmlStopParser(r.context);
      return;
    }
    r.declared[r.depth++] = static_cast<uint8_t>(ns_count);
    uint32_t index = r.index++;
    if (r.depth > r.deepest) return;
    // Name, prefix, namespace, value, its end. There are no more than the scan before has counted.
    size_t shown = std::min(static_cast<size_t>(count), size_t{kMaxXmlAttributes});
    for (size_t i = 0; i < shown; i++, attributes += 5) {
      const char* value = reinterpret_cast<const char*>(attributes[3]);
      r.attributes[i] = {view(attributes[0]), view(attributes[2]),
                         {value, static_cast<size_t>(reinterpret_cast<const char*>(attributes[4]) - value)}};
    }
    r.visitor->element({view(name), view(uri), r.depth, index, {r.attributes, shown}});
  }

  static std::string_view view(const xmlChar* s) { return s ? reinterpret_cast<const char*>(s) : std::string_view(); }

  static void end(void* self, const xmlChar*, const xmlChar*, const xmlChar*) {
    Run& r = *static_cast<Run*>(self);
    if (r.depth == 0) return;
    if (r.depth <= r.deepest) r.visitor->end(r.depth);
    r.namespaces -= r.declared[--r.depth];
  }

  static void text(void* self, const xmlChar* piece, int length) {
    Run& r = *static_cast<Run*>(self);
    if (r.depth <= r.deepest) r.visitor->text({reinterpret_cast<const char*>(piece), static_cast<size_t>(length)}, r.depth);
  }

  // The scan before the parser has refused these already; this is there in case it misses one.
  static void doctype(void* self, const xmlChar*, const xmlChar*, const xmlChar*) {
    Run& r = *static_cast<Run*>(self);
    r.fail(Errc::bad_body, "document type declarations and entities are not accepted");
    xmlStopParser(r.context);
  }

  static void problem(void* self, xmlErrorPtr e) {
    Run& r = *static_cast<Run*>(self);
    if (!e || e->level < XML_ERR_ERROR || r.code != Errc::ok) return;
    if (e->domain == XML_FROM_NAMESPACE && !r.namespaces_count) return;
    if (e->code == XML_ERR_NO_MEMORY) return r.fail(Errc::no_memory, "out of memory");
    std::string what = "not well-formed XML, line " + std::to_string(e->line) + ": ";
    for (const char* p = e->message ? e->message : "unknown error"; *p; p++) {
      if (static_cast<unsigned char>(*p) >= 0x20) what += static_cast<signed char>(*p) > 0 && *p != 0x7f ? *p : '?';
      else if (p[1]) what += ' ';  // the last one is a line feed
    }
    if (what.size() > 300) what.replace(297, std::string::npos, "...");
    r.fail(Errc::bad_body, std::move(what));
  }
};

XmlReader::XmlReader() : quick_(std::make_unique<QuickXml>()) { xmlInitParser(); }

XmlReader::~XmlReader() {
  if (context_) xmlFreeParserCtxt(context_);
}

size_t XmlReader::names() const { return context_ ? static_cast<size_t>(xmlDictSize(context_->dict)) : 0; }

bool XmlReader::prepare() {
  if (names() > kMaxNames || (context_ && xmlDictGetUsage(context_->dict) > kMaxNameOctets)) {
    xmlFreeParserCtxt(context_);
    context_ = nullptr;
  }
  if (context_) return true;
  context_ = xmlNewParserCtxt();
  if (!context_) return false;
  xmlSAXHandler* sax = context_->sax;
  memset(sax, 0, sizeof *sax);
  sax->initialized = XML_SAX2_MAGIC;
  sax->startElementNs = &Run::start;
  sax->endElementNs = &Run::end;
  sax->internalSubset = &Run::doctype;
  sax->serror = &Run::problem;
  return true;
}

Status XmlReader::read(std::string_view doc, XmlVisitor& visitor) {
  return quick_->read(doc, visitor) ? success() : parse(doc, visitor);
}

Status XmlReader::read_liberally(std::string_view doc, XmlVisitor& visitor) {
  if (quick_->read(doc, visitor)) return success();
  std::string storage;
  Result<std::string_view> plain = plain_xml(doc, storage);
  if (!plain) return plain.error();
  if (plain->size() != doc.size() && quick_->read(*plain, visitor)) return success();
  return parse(*plain, visitor, false);
}

Status XmlReader::parse(std::string_view doc, XmlVisitor& visitor) { return parse(doc, visitor, true); }

Status XmlReader::parse(std::string_view doc, XmlVisitor& visitor, bool namespaces) {
  if (Status s = check_xml_bounds(doc); !s) return s;
  if (!prepare()) return {Errc::no_memory, "out of memory"};
  Run run;
  run.visitor = &visitor;
  run.context = context_;
  run.namespaces_count = namespaces;
  run.attributes = attributes_.data();
  run.deepest = visitor.deepest();
  context_->userData = &run;
  // The same function for both: libxml2 then does not look which text is only blanks.
  context_->sax->characters = context_->sax->ignorableWhitespace = visitor.wants_text() ? &Run::text : nullptr;
  // NOENT: "&amp;" in an attribute is "&", not "&#38;". There are no other entities: declarations were refused.
  xmlDocPtr tree = xmlCtxtReadMemory(context_, doc.data(), static_cast<int>(doc.size()), nullptr, nullptr,
                                     XML_PARSE_NONET | XML_PARSE_NOENT);
  if (tree) xmlFreeDoc(tree);
  context_->userData = nullptr;
  if (run.code == Errc::ok && (!context_->wellFormed || (namespaces && !context_->nsWellFormed)))
    run.fail(Errc::bad_body, "not well-formed XML");
  if (run.code != Errc::ok) return {run.code, std::move(run.error)};
  return success();
}

}  // namespace pua
