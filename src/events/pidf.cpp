#include "events/pidf.h"

#include <algorithm>
#include <cstdio>
#include <unordered_set>
#include <vector>

#include "base/hash.h"
#include "core/uri.h"
#include "events/xml_scan.h"

namespace pua {

namespace {

constexpr std::string_view kPidf = "urn:ietf:params:xml:ns:pidf";
constexpr std::string_view kDataModel = "urn:ietf:params:xml:ns:pidf:data-model";

// Elements that get an id in one document; looking for free ids costs a look through the document each.
constexpr size_t kMaxLacking = 64;

enum class Kind : char { Tuple = 't', Person = 'p', Device = 'd' };  // also the first letter of ids made here

struct Lacking {
  uint32_t element;   // number of its start tag
  uint32_t ordinal;   // among its kind, 1 = first
  Kind kind;
};

// What there is to know of a document, collected in one pass.
struct Survey : XmlVisitor {
  bool presence = false, entity = false;
  std::string root;                // name of another root element
  uint32_t count[3] = {};          // tuples, persons, devices
  std::string first_tuple;         // id of the first tuple, empty: it has none
  std::vector<Lacking> lacking;    // one more than kMaxLacking at most

  uint32_t deepest() const override { return 2; }
  void element(const XmlElement& e) override {
    if (e.depth == 1) return see_root(e);
    if (!presence) return;
    if (e.ns == kPidf && e.name == "tuple") see(e, Kind::Tuple, ++count[0]);
    else if (e.ns == kDataModel && e.name == "person") see(e, Kind::Person, ++count[1]);
    else if (e.ns == kDataModel && e.name == "device") see(e, Kind::Device, ++count[2]);
  }

  void see_root(const XmlElement& e) {
    presence = e.ns == kPidf && e.name == "presence";
    if (!presence) root = e.name;
    std::string_view value;
    entity = e.attribute("entity", value) && !value.empty();
  }

  void see(const XmlElement& e, Kind kind, uint32_t ordinal) {
    std::string_view id;
    if (!e.attribute("id", id) || id.empty()) {
      if (lacking.size() <= kMaxLacking) lacking.push_back({e.index, ordinal, kind});
    } else if (kind == Kind::Tuple && ordinal == 1) {
      first_tuple = id;
    }
  }
};

// RFC 3863 4.1.1 wants the pres: URI of the presentity; RFC 3859 gives it no port, parameters or password.
std::string entity_of(std::string_view uri) {
  Uri u;
  bool sip = !read_uri(uri, u) && (u.kind == Scheme::Sip || u.kind == Scheme::Sips) && u.has_user;
  std::string out;
  write_uri(sip ? u.user : uri, out);
  return sip ? "pres:" + out.append("@").append(u.host) : out;
}

// Fit for xs:ID: an NCName of ASCII characters.
bool is_id(std::string_view s) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !s.empty() && s.size() <= kMaxTupleId && letter(s[0]) &&
         std::all_of(s.begin(), s.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
}

// An id may hold a line break, written as a character reference: no row takes that.
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Makes ids that nothing else in the document has.
class IdMaker {
 public:
  IdMaker(const BodyRequest& req) : doc_(req.body) {
    // The key of the hash is part of the ids: watchers know them, so it never changes.
    uint64_t h = SipHash({0x6c69627075612d69ull, 0x64656e7469667931ull})
                     .add(req.pres_uri).add(req.id).add(static_cast<uint64_t>(static_cast<uint32_t>(req.source))).finish();
    snprintf(hash_, sizeof hash_, "%016llx", static_cast<unsigned long long>(h));
    // What is there already like an id made here: found in one pass, however many there are.
    for (size_t at = doc_.find(hash_); at != std::string_view::npos; at = doc_.find(hash_, at + 1)) {
      if (at < 2 || (doc_[at - 2] != '"' && doc_[at - 2] != '\'')) continue;
      std::string_view rest = doc_.substr(at - 1, kMaxTupleId + 1);
      if (size_t end = rest.find(doc_[at - 2]); end != std::string_view::npos) seen_.emplace(rest.substr(0, end));
    }
  }

  std::string make(const Lacking& l, std::string_view wanted) {
    std::string id(wanted);
    if (!is_id(id) || taken(id)) {
      std::string base = static_cast<char>(l.kind) + std::string(hash_);
      if (l.ordinal > 1) base += "-" + std::to_string(l.ordinal);
      id = base;
      for (int n = 1; taken(id); n++) id = base + "." + std::to_string(n);
    }
    made_.push_back(id);
    return id;
  }

 private:
  // Any attribute value that reads like the id counts as taken, of whatever attribute: that does no harm.
  bool taken(const std::string& id) const {
    if (std::find(made_.begin(), made_.end(), id) != made_.end()) return true;
    if (id.size() > 16 && id.compare(1, 16, hash_) == 0) return seen_.contains(id);
    return doc_.find("\"" + id + "\"") != std::string_view::npos || doc_.find("'" + id + "'") != std::string_view::npos;
  }

  std::string_view doc_;
  char hash_[17];
  std::unordered_set<std::string> seen_;   // values in the document that an id made here could be
  std::vector<std::string> made_;
};

}  // namespace

Result<Unit> process_pidf(XmlReader& reader, const BodyRequest& req, std::string& out, bool& unchanged, std::string& tuple) {
  Survey seen;
  if (Status s = reader.read(req.body, seen); !s) return s;
  if (!seen.presence) {
    return {Errc::bad_body,
            "the root element is \"" + seen.root.substr(0, 80) + "\", not \"presence\" of namespace " + std::string(kPidf)};
  }
  if (seen.lacking.size() > kMaxLacking) return {Errc::bad_body, "more than 64 elements without an id"};
  unchanged = seen.entity && seen.lacking.empty();
  if (!unchanged) {
    std::vector<AttributeEdit> edits;
    if (!seen.entity) edits.push_back({0, "entity", entity_of(req.pres_uri)});
    IdMaker ids(req);
    for (const Lacking& l : seen.lacking) {
      bool first = l.kind == Kind::Tuple && l.ordinal == 1;
      edits.push_back({l.element, "id", ids.make(l, first ? std::string_view(tuple) : std::string_view())});
      if (first) seen.first_tuple = edits.back().value;
    }
    out = set_attributes(req.body, edits);
  }
  const std::string& id = seen.first_tuple;
  bool fits = id.size() <= kMaxTupleId && std::none_of(id.begin(), id.end(), is_control);
  tuple = fits ? std::move(seen.first_tuple) : std::string();
  return success();
}

}  // namespace pua
