#include "events/inspect.h"

#include <charconv>
#include <optional>
#include <string>

#include "events/documents.h"
#include "events/text.h"

namespace pua {

namespace {

enum class Versions : uint8_t { None, Required, Optional };

struct DocumentType {
  std::string_view type, root, ns;
  Versions versions;
};
constexpr DocumentType kWatcherinfo = {"application/watcherinfo+xml", "watcherinfo", "urn:ietf:params:xml:ns:watcherinfo",
                                       Versions::Required};
constexpr DocumentType kTypes[] = {
    {"application/pidf+xml", "presence", "urn:ietf:params:xml:ns:pidf", Versions::None},
    {"application/dialog-info+xml", "dialog-info", "urn:ietf:params:xml:ns:dialog-info", Versions::Required},
    kWatcherinfo,
    {"application/reginfo+xml", "reginfo", "urn:ietf:params:xml:ns:reginfo", Versions::Required},
    {"application/conference-info+xml", "conference-info", "urn:ietf:params:xml:ns:conference-info", Versions::Optional},
};
constexpr std::string_view kSummaryType = "application/simple-message-summary";

Error wrong(const DocumentType& t, std::string what) {
  return {Errc::bad_body, "<" + std::string(t.root) + ">: " + std::move(what)};
}

// xs:nonNegativeInteger as far as 32 bits go, which is where the RFCs end it. "-0" is not taken.
std::optional<uint32_t> version_number(std::string_view text) {
  text = trim(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  uint32_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<DocumentState> root_state(const XmlElement& root, const DocumentType& t) {
  if (root.name != t.root || root.ns != t.ns) {
    std::string found = quoted(root.name) + (root.ns.empty() ? " in no namespace" : " in namespace " + quoted(root.ns));
    return {Errc::bad_body, "the root element is " + found + ", not \"" + std::string(t.root) + "\" in namespace \"" +
                                std::string(t.ns) + "\""};
  }
  DocumentState out;
  if (t.versions == Versions::None) return out;
  const bool required = t.versions == Versions::Required;

  out.kind = DocumentState::Kind::Full;
  std::string_view text;
  if (root.attribute("state", text)) {
    if (text == "partial") out.kind = DocumentState::Kind::Partial;
    else if (text != "full" && (required || text != "deleted")) {
      return wrong(t, "state " + quoted(text) + " is not \"full\" or \"partial\"" + (required ? "" : " or \"deleted\""));
    }
  } else if (required) {
    return wrong(t, "has no state");
  }
  if (root.attribute("version", text)) {
    std::optional<uint32_t> number = version_number(text);
    if (!number) return wrong(t, "version " + quoted(text) + " is not a number from 0 to 4294967295");
    out.version = *number;
  } else if (required || out.kind == DocumentState::Kind::Partial) {
    return wrong(t, "has no version");
  } else {
    out.kind = DocumentState::Kind::Opaque;
  }
  return out;
}

struct RootVisitor : XmlVisitor {
  const DocumentType& type;
  Result<DocumentState> state = DocumentState{};

  explicit RootVisitor(const DocumentType& t) : type(t) {}
  uint32_t deepest() const override { return 1; }
  void element(const XmlElement& e) override { state = root_state(e, type); }
};

}  // namespace

Result<DocumentState> inspect_document(XmlReader& reader, std::string_view content_type, std::string_view body) {
  if (is_type(content_type, kSummaryType)) {
    if (Status s = check_message_summary_start(body); !s) return s.error();
    return DocumentState{};
  }
  for (const DocumentType& t : kTypes) {
    if (!is_type(content_type, t.type)) continue;
    RootVisitor visitor(t);
    if (Status s = reader.read(body, visitor); !s) return s.error();
    return std::move(visitor.state);
  }
  return DocumentState{};
}

Result<DocumentState> watcherinfo_root(const XmlElement& root) { return root_state(root, kWatcherinfo); }

}  // namespace pua
