#include "events/documents.h"

#include <algorithm>

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

  void element(const XmlElement& e) override {
    if (e.depth != 1) return;
    for (const Versioned& v : kVersioned) versioned |= e.name == v.root && (e.ns == v.ns || e.ns.empty());
    if (std::string_view value; e.attribute("version", value)) version = value;
  }
};

bool equal_ignoring_case(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() && std::equal(a.begin(), a.end(), lower.begin(), [](char x, char y) {
    return (x >= 'A' && x <= 'Z' ? x + 32 : x) == y;
  });
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r')) s.remove_suffix(1);
  return s;
}

bool is_token(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-.!%*_+`'~").find(c) != std::string_view::npos;
  });
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

Status check_message_summary(std::string_view body) {
  auto bad = [](size_t line, const char* what) {
    return Status(Errc::bad_body, "message summary, line " + std::to_string(line) + ": " + what);
  };
  size_t number = 0;
  while (!body.empty()) {
    size_t end = body.find('\n');
    std::string_view raw = body.substr(0, end);
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
    number++;
    if (std::any_of(raw.begin(), raw.end(), [](unsigned char c) { return (c < 0x20 && c != '\t' && c != '\r') || c == 0x7f; })) {
      return bad(number, "control character");
    }
    bool folded = !raw.empty() && (raw[0] == ' ' || raw[0] == '\t') && number > 1;
    std::string_view line = trim(raw);
    if (line.empty() && number > 1) continue;
    size_t colon = line.find(':');
    std::string_view name = trim(line.substr(0, colon));
    std::string_view value = colon == std::string_view::npos ? std::string_view() : trim(line.substr(colon + 1));
    if (number == 1) {
      bool fine = equal_ignoring_case(name, "messages-waiting") &&
                  (equal_ignoring_case(value, "yes") || equal_ignoring_case(value, "no"));
      if (!fine) return bad(1, "\"Messages-Waiting: yes\" or \"Messages-Waiting: no\" expected");
    } else if (!folded && (colon == std::string_view::npos || !is_token(name))) {
      return bad(number, "\"name: value\" expected");
    }
  }
  return number > 0 ? success() : bad(1, "\"Messages-Waiting: yes\" or \"Messages-Waiting: no\" expected");
}

}  // namespace pua
