// Lists of documents, as a resource list server sends them (RFC 4662): one NOTIFY with the state of many presentities is taken
// apart into one document for each.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "events/xml_reader.h"

namespace pua {

constexpr size_t kMaxParts = 10000;        // of one body

// Views are into the body, or into `head`.
struct BodyPart {
  std::string_view content_type, content_id;   // empty: not said; content_id without angle brackets
  std::string_view body;
  std::unique_ptr<std::string> head;           // where its header fields had folded lines: these as one
};

// The parts of a multipart body (RFC 2046 section 5.1). Lines may end in LF alone, and the last boundary may be missing.
// Errors (bad_body): content_type is no multipart, it names no boundary, the boundary does not come, more than kMaxParts.
Result<std::vector<BodyPart>> split_multipart(std::string_view content_type, std::string_view body);

// One instance of a resource of the list. Views are valid during the call.
struct ListedResource {
  std::string_view list_uri;               // of the list
  uint32_t version = 0;                    // of the list's document
  bool full = true;                        // the document shows all resources of the list
  std::string_view uri, name;              // of the resource; name: the first one
  std::string_view instance, state, reason;   // empty: there is no instance, nothing is known of the resource
  std::string_view content_type, body;     // its document; empty: none came with it. It may be a list in turn
  bool missing = false;                    // the list names a document for it that did not come
  uint32_t skipped = 0;  // resources and instances of the list that are not shown: something is missing in them
};

// Shows each instance in the order of the list, and each resource that has none. content_type: multipart/related with the list
// (application/rlmi+xml) as its root, another multipart that holds one, or the list alone. The whole is read before the first
// is shown. A resource without uri and an instance without id or state are left out, the others are shown. Of two parts with
// one Content-ID the first counts.
// Errors: bad_body: as for split_multipart, another content type, a list that is not well-formed, has another root element, or
// none of what RFC 4662 section 5 allows as its version or fullState; too_large, no_memory: see XmlReader::read.
Status read_list(XmlReader&, std::string_view content_type, std::string_view body,
                 const std::function<void(const ListedResource&)>& show);

}  // namespace pua
