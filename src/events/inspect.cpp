#include "events/inspect.h"

#include <charconv>
#include <optional>
#include <string>

#include "events/documents.h"
#include "events/text.h"

namespace pua {

namespace {

struct DocumentType {
  std::string_view type, root, ns;
  bool versions;
};
constexpr DocumentType kWatcherinfo = {"application/watcherinfo+xml", "watcherinfo", "urn:ietf:params:xml:ns:watcherinfo",
                                       true};
constexpr DocumentType kTypes[] = {
    {"application/pidf+xml", "presence", "urn:ietf:params:xml:ns:pidf", false},
    {"application/dialog-info+xml", "dialog-info", "urn:ietf:params:xml:ns:dialog-info", true},
    kWatcherinfo,
    {"application/reginfo+xml", "reginfo", "urn:ietf:params:xml:ns:reginfo", true},
    {"application/conference-info+xml", "conference-info", "urn:ietf:params:xml:ns:conference-info", true},
};
constexpr std::string_view kSummaryType = "application/simple-message-summary";

Error wrong(std::string what) { return {Errc::bad_body, "<watcherinfo>: " + std::move(what)}; }

// The name without its prefix: one that is not declared still stands in it.
std::string_view local_name(std::string_view name) { return name.substr(name.find(':') == name.npos ? 0 : name.find(':') + 1); }

// xs:nonNegativeInteger as far as 32 bits go, which is where the RFCs end it. "-0" is not taken.
std::optional<uint32_t> version_number(std::string_view text) {
  text = trim(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  uint32_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<DocumentState> wrong_root(const XmlElement& root, const DocumentType& t) {
  std::string found = quoted(root.name) + (root.ns.empty() ? " in no namespace" : " in namespace " + quoted(root.ns));
  return {Errc::bad_body, "the root element is " + found + ", not \"" + std::string(t.root) + "\" in namespace \"" +
                              std::string(t.ns) + "\""};
}

// Of a document that a notifier wrote. Namespace, state and version may be missing, and the state may be in any case: what they
// would say is then not known, which is no reason to throw the document away.
Result<DocumentState> notified_state(const XmlElement& root, const DocumentType& t) {
  if (local_name(root.name) != t.root || (root.ns != t.ns && !root.ns.empty())) return wrong_root(root, t);
  DocumentState out;
  std::string_view state, version;
  if (!t.versions || !root.attribute("version", version)) return out;
  std::optional<uint32_t> number = version_number(version);
  bool partial = root.attribute("state", state) && same_word(trim(state), "partial");
  if (!number) return out;
  out.version = *number;
  out.kind = partial ? DocumentState::Kind::Partial : DocumentState::Kind::Full;
  return out;
}

struct RootVisitor : XmlVisitor {
  const DocumentType& type;
  Result<DocumentState> state = DocumentState{};

  explicit RootVisitor(const DocumentType& t) : type(t) {}
  uint32_t deepest() const override { return 1; }
  void element(const XmlElement& e) override { state = notified_state(e, type); }
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
    if (Status s = reader.read_liberally(body, visitor); !s) return s.error();
    return std::move(visitor.state);
  }
  return DocumentState{};
}

// Of a document that is put together with others: what is not known cannot be guessed.
Result<DocumentState> watcherinfo_root(const XmlElement& root) {
  if (root.name != kWatcherinfo.root || root.ns != kWatcherinfo.ns) return wrong_root(root, kWatcherinfo);
  DocumentState out{.kind = DocumentState::Kind::Full};
  std::string_view text;
  if (!root.attribute("state", text)) return wrong("has no state");
  if (text == "partial") out.kind = DocumentState::Kind::Partial;
  else if (text != "full") return wrong("state " + quoted(text) + " is not \"full\" or \"partial\"");
  if (!root.attribute("version", text)) return wrong("has no version");
  std::optional<uint32_t> number = version_number(text);
  if (!number) return wrong("version " + quoted(text) + " is not a number from 0 to 4294967295");
  out.version = *number;
  return out;
}

}  // namespace pua
