// Bodies port: what the core knows of event packages and documents.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pua {

struct EventInfo {
  int32_t flag = 0;                // event bit
  std::string_view name;           // as on the wire: "presence.winfo"
  std::string_view content_type;   // default, empty: the caller must name one
  std::string_view accept = {};    // content types that a NOTIFY may bring, for Accept: "a/b, c/d"; empty: any
};

// What a document that a NOTIFY brought says of itself.
struct DocumentState {
  enum class Kind : uint8_t {
    Opaque,   // no versions in this content type
    Full,     // version given; replaces what was known
    Partial,  // version given; counts only on top of version - 1
  };
  Kind kind = Kind::Opaque;
  uint32_t version = 0;
};

struct BodyRequest {
  int32_t event = 0;
  std::string_view content_type;
  std::string_view body;           // as the caller gave it, size checked
  std::string_view pres_uri, id;   // of the record's key: stable ids are derived from them
  int32_t source = 0;
  uint32_t version = 0;            // the document version to put in, where the package has one
  const void* publ_info = nullptr; // for processors registered through the C API
};

struct BodiesPort {
  virtual ~BodiesPort() = default;
  // nullptr: not registered. Valid until the registry changes.
  virtual const EventInfo* by_flag(int32_t flag) const = 0;
  virtual const EventInfo* by_name(std::string_view name) const = 0;
  // The document as it goes on the wire. `tuple`: in, the id used so far; out, the id used now (empty: none).
  // unchanged = true: send BodyRequest::body as it is (out untouched).
  virtual Result<Unit> process(const BodyRequest&, std::string& out, bool& unchanged, std::string& tuple) = 0;
  // Names of all packages, for Allow-Events: "presence, dialog". Valid until the registry changes.
  virtual std::string_view allow_events() const { return {}; }
  // Whether a NOTIFY of this event may bring this content type (parameters and case of it do not matter).
  virtual bool accepts(int32_t /*event*/, std::string_view /*content_type*/) const { return true; }
  // Looks at a NOTIFY's document (presence.winfo, dialog, dialog;sla, reg, conference carry version and state).
  // Errors: bad_body, it is not what its content type says.
  virtual Result<DocumentState> inspect(int32_t /*event*/, std::string_view /*content_type*/, std::string_view /*body*/) {
    return DocumentState{};
  }
};

}  // namespace pua
