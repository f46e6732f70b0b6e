#include "events/lists.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string>

#include "core/notify_fields.h"
#include "core/uri.h"
#include "events/text.h"

namespace pua {

namespace {

constexpr std::string_view kList = "application/rlmi+xml", kMultipart = "multipart/";
constexpr std::string_view kNamespace = "urn:ietf:params:xml:ns:rlmi";
constexpr size_t kMaxBoundary = 70;      // RFC 2046 section 5.1.1

Error wrong(std::string what) { return {Errc::bad_body, std::move(what)}; }

std::string_view without_brackets(std::string_view id) {
  id = trim(id);
  if (id.size() >= 2 && id.front() == '<' && id.back() == '>') id = id.substr(1, id.size() - 2);
  return id;
}

// A cid attribute: the Content-ID without brackets; some write it with them, or as a URI (RFC 2392).
std::string_view part_named(std::string_view cid) {
  if (same_word(cid.substr(0, 4), "cid:")) cid.remove_prefix(4);
  return without_brackets(cid);
}

// Where the next delimiter line stands, and what follows it.
struct Delimiter {
  size_t begin, end;    // without the line end before it; behind its own line end
  bool last;            // it closes the whole
};

bool find_delimiter(std::string_view body, std::string_view boundary, size_t from, Delimiter& out) {
  for (size_t at = body.find(boundary, from); at != body.npos; at = body.find(boundary, at + 1)) {
    if (at != 0 && body[at - 1] != '\n') continue;
    size_t end = std::min(body.find('\n', at), body.size());
    std::string_view rest = body.substr(at + boundary.size(), end - at - boundary.size());
    out.last = rest.starts_with("--");
    if (out.last) rest.remove_prefix(2);
    if (!trim(rest).empty()) continue;      // a longer boundary, of a part within
    out.begin = at;
    if (out.begin > from && body[out.begin - 1] == '\n') out.begin--;
    if (out.begin > from && body[out.begin - 1] == '\r') out.begin--;
    out.end = std::min(end + 1, body.size());
    return true;
  }
  return false;
}

BodyPart read_part(std::string_view text) {
  BodyPart out;
  size_t end = 0;
  while (end < text.size()) {
    size_t line = std::min(text.find('\n', end), text.size());
    constexpr CharSet kCr("\r");
    bool blank = trimmed(text.substr(end, line - end), kCr).empty();
    if (blank) {
      out.body = text.substr(std::min(line + 1, text.size()));
      break;
    }
    end = std::min(line + 1, text.size());
  }
  out.head = std::make_unique<std::string>();
  HeaderField fields[kMaxShownHeaders];
  size_t count = split_headers(unfolded_block(text.substr(0, end), *out.head), fields);
  for (size_t i = 0; i < count; i++) {
    if (same_word(fields[i].name, "Content-Type") || same_word(fields[i].name, "c")) out.content_type = fields[i].value;
    if (same_word(fields[i].name, "Content-ID")) out.content_id = without_brackets(fields[i].value);
  }
  return out;
}

struct Instance {
  std::string id, state, reason, cid;
};
struct Resource {
  std::string uri, name;
  std::vector<Instance> instances;
};

struct ListVisitor : XmlVisitor {
  std::string uri;
  uint32_t version = 0;
  bool full = true;
  uint32_t skipped = 0;
  std::vector<Resource> resources;
  Error error{Errc::ok, {}};       // the first one

  bool wants_text() const override { return true; }

  void element(const XmlElement& e) override {
    if (e.depth == 1) return begin_list(e);
    bool ours = e.ns == kNamespace || e.ns.empty();
    if (e.depth == 2) {
      inside_ = ours && e.name == "resource" ? Inside::Resource : Inside::Other;
      if (inside_ == Inside::Resource) begin_resource(e);
    } else if (e.depth == 3 && ours && inside_ == Inside::Resource) {
      if (e.name == "instance") begin_instance(e);
      else if (e.name == "name" && resources.back().name.empty()) inside_ = Inside::Name;
    }
  }
  void text(std::string_view piece, uint32_t depth) override {
    if (depth == 3 && inside_ == Inside::Name) resources.back().name += piece;
  }
  void end(uint32_t depth) override {
    if (depth == 3 && inside_ == Inside::Name) inside_ = Inside::Resource;
  }

 private:
  enum class Inside : uint8_t { Other, Resource, Name };
  Inside inside_ = Inside::Other;

  void fail(std::string what) {
    if (error.code == Errc::ok) error = wrong(std::move(what));
  }
  static std::string value(const XmlElement& e, const char* name) {
    std::string_view out;
    e.attribute(name, out);
    return std::string(trim(out));
  }
  std::string needed(const XmlElement& e, const char* name) {
    std::string out = value(e, name);
    if (out.empty()) fail("<" + std::string(e.name) + "> has no " + name);
    return out;
  }
  void begin_list(const XmlElement& e) {
    if (e.name != "list" || (e.ns != kNamespace && !e.ns.empty()))
      return fail("the root element is " + quoted(e.name) + ", not \"list\"");
    uri = value(e, "uri");
    std::string number = needed(e, "version"), all = needed(e, "fullState");
    auto [end, problem] = std::from_chars(number.data(), number.data() + number.size(), version);
    if (problem != std::errc() || end != number.data() + number.size())
      fail("version " + quoted(number) + " is not a number from 0 to 4294967295");
    full = all == "true" || all == "1";
    if (!full && all != "false" && all != "0") fail("fullState " + quoted(all) + " is not \"true\" or \"false\"");
  }
  void begin_resource(const XmlElement& e) {
    std::string whose = value(e, "uri");
    if (whose.empty()) {
      skipped++;
      inside_ = Inside::Other;   // what stands in it belongs to no resource
      return;
    }
    resources.push_back({std::move(whose), {}, {}});
  }
  void begin_instance(const XmlElement& e) {
    Instance i{value(e, "id"), value(e, "state"), value(e, "reason"), value(e, "cid")};
    if (i.id.empty() || i.state.empty()) skipped++;
    else resources.back().instances.push_back(std::move(i));
  }
};

// Which part is the list: the one that the start parameter names (RFC 2387 section 3.2), else the first part; where that is no
// list, the first one that is.
Result<size_t> root_of(std::string_view content_type, const std::vector<BodyPart>& parts) {
  std::string_view start = without_brackets(parameter_of(content_type, "start"));
  auto begins =
      std::find_if(parts.begin(), parts.end(), [&](const BodyPart& p) { return start.empty() || p.content_id == start; });
  if (begins != parts.end() && is_type(begins->content_type, kList)) return static_cast<size_t>(begins - parts.begin());
  auto list = std::find_if(parts.begin(), parts.end(), [](const BodyPart& p) { return is_type(p.content_type, kList); });
  if (list != parts.end()) return static_cast<size_t>(list - parts.begin());
  if (begins == parts.end()) return wrong("no part is the list that start names");
  return wrong("the first part is " + quoted(begins->content_type) + ", not " + std::string(kList));
}

Status read_root(XmlReader& reader, std::string_view document, ListVisitor& out) {
  if (Status s = reader.read_liberally(document, out); !s) return s;
  if (out.error.code != Errc::ok) return out.error;
  return success();
}

}  // namespace

Result<std::vector<BodyPart>> split_multipart(std::string_view content_type, std::string_view body) {
  std::string_view name = parameter_of(content_type, "boundary");
  if (!same_word(media_type(content_type).substr(0, kMultipart.size()), kMultipart))
    return wrong("Content-Type " + quoted(content_type) + " is no multipart");
  if (name.empty() || name.size() > kMaxBoundary) return wrong("Content-Type " + quoted(content_type) + " names no boundary");
  std::string boundary = "--" + std::string(name);
  std::vector<BodyPart> parts;
  Delimiter d;
  if (!find_delimiter(body, boundary, 0, d)) return wrong("the boundary " + quoted(name) + " does not come");
  while (!d.last) {
    size_t begin = d.end;
    bool more = find_delimiter(body, boundary, begin, d);
    if (!more) d = {body.size(), body.size(), true};
    if (parts.size() == kMaxParts) return wrong("more than " + std::to_string(kMaxParts) + " parts");
    parts.push_back(read_part(body.substr(begin, d.begin - begin)));
  }
  return parts;
}

Status read_list(XmlReader& reader, std::string_view content_type, std::string_view body,
                 const std::function<void(const ListedResource&)>& show) {
  std::vector<BodyPart> parts;
  size_t root = 0;
  if (is_type(content_type, kList)) {
    parts.push_back({content_type, {}, body, {}});
  } else if (same_word(media_type(content_type).substr(0, kMultipart.size()), kMultipart)) {
    auto found = split_multipart(content_type, body);
    if (!found) return found.error();
    parts = std::move(*found);
    auto at = root_of(content_type, parts);
    if (!at) return at.error();
    root = *at;
  } else {
    return wrong("Content-Type " + quoted(content_type) + " is no list");
  }
  ListVisitor list;
  if (Status s = read_root(reader, parts[root].body, list); !s) return s;
  std::map<std::string_view, const BodyPart*> by_id;
  for (const BodyPart& p : parts)
    if (!p.content_id.empty() && &p != &parts[root]) by_id.emplace(p.content_id, &p);
  for (const Resource& r : list.resources) {
    ListedResource out{.list_uri = list.uri, .version = list.version, .full = list.full, .uri = r.uri, .name = r.name,
                       .instance = {}, .state = {}, .reason = {}, .content_type = {}, .body = {}, .skipped = list.skipped};
    if (r.instances.empty()) show(out);
    for (const Instance& i : r.instances) {
      out.instance = i.id;
      out.state = i.state;
      out.reason = i.reason;
      auto at = by_id.find(part_named(i.cid));
      out.missing = !i.cid.empty() && at == by_id.end();
      out.content_type = at == by_id.end() ? std::string_view() : at->second->content_type;
      out.body = at == by_id.end() ? std::string_view() : at->second->body;
      show(out);
    }
  }
  return success();
}

}  // namespace pua
