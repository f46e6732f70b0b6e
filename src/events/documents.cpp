#include "events/documents.h"

#include <algorithm>

#include "events/text.h"
#include "events/xml_scan.h"

namespace pua {

namespace {

struct Versioned {
  std::string_view root, ns;
};
constexpr Versioned kVersioned[] = {
    {"dialog-info", "urn:ietf:params:xml:ns:dialog-info"},
    {"reginfo", "urn:ietf:params:xml:ns:reginfo"},
    {"watcherinfo", "urn:ietf:params:xml:ns:watcherinfo"},
};

struct RootVersion : XmlVisitor {
  bool versioned = false;
  std::string version;

  uint32_t deepest() const override { return 1; }
  void element(const XmlElement& e) override {
    for (const Versioned& v : kVersioned) versioned |= e.name == v.root && (e.ns == v.ns || e.ns.empty());
    if (std::string_view value; e.attribute("version", value)) version = value;
  }
};

Status bad_line(size_t number, const char* what) {
  return {Errc::bad_body, "message summary, line " + std::to_string(number) + ": " + what};
}

}  // namespace

Status process_xml(XmlReader& reader, const BodyRequest& req, std::string& out, bool& unchanged) {
  RootVersion seen;
  if (Status s = reader.read(req.body, seen); !s) return s;
  std::string version = std::to_string(req.version);
  unchanged = !seen.versioned || seen.version == version;
  if (!unchanged) {
    AttributeEdit edit{0, "version", std::move(version)};
    out = set_attributes(req.body, {&edit, 1});
  }
  return success();
}

Status check_message_summary_start(std::string_view body) {
  std::string_view line = body.substr(0, body.find('\n'));
  size_t colon = line.find(':');
  std::string_view value = colon == std::string_view::npos ? std::string_view() : trim(line.substr(colon + 1));
  bool fine = same_word(trim(line.substr(0, colon)), "messages-waiting") &&
              (same_word(value, "yes") || same_word(value, "no"));
  return fine ? success() : bad_line(1, "\"Messages-Waiting: yes\" or \"Messages-Waiting: no\" expected");
}

Status check_message_summary(std::string_view body) {
  if (Status s = check_message_summary_start(body); !s) return s;
  for (size_t number = 1; !body.empty(); number++) {
    size_t end = body.find('\n');
    std::string_view raw = body.substr(0, end);
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
    auto control = [](unsigned char c) { return (c < 0x20 && c != '\t' && c != '\r') || c == 0x7f; };
    if (std::any_of(raw.begin(), raw.end(), control)) return bad_line(number, "control character");
    bool folded = !raw.empty() && (raw[0] == ' ' || raw[0] == '\t');
    std::string_view line = trim(raw);
    if (number == 1 || folded || line.empty()) continue;
    size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(trim(line.substr(0, colon)))) {
      return bad_line(number, "\"name: value\" expected");
    }
  }
  return success();
}

}  // namespace pua
