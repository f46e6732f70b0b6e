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

// What the document of a NOTIFY says of itself.
struct DocumentState {
  enum class Kind : uint8_t {
    Opaque,   // documents of this content type have no versions
    Full,     // it has a version, and replaces what was known
    Partial,  // it has a version, and holds changes to the document of version - 1
  };
  Kind kind = Kind::Opaque;
  uint32_t version = 0;
};

struct BodyRequest {
  int32_t event = 0;
  std::string_view content_type;
  std::string_view body;           // as the caller gave it, size checked
  std::string_view pres_uri, id;   // of the record's key: ids in the document that must stay the same are made from these
  int32_t source = 0;
  uint32_t version = 0;            // the document version to put in, where the package has one
  const void* publ_info = nullptr; // for processors registered through the C API
};

struct BodiesPort {
  virtual ~BodiesPort() = default;
  // nullptr: not registered. Valid until the registry changes.
  virtual const EventInfo* by_flag(int32_t flag) const = 0;
  virtual const EventInfo* by_name(std::string_view name) const = 0;
  // Makes the document that goes on the wire. `tuple`: before the call the id used so far, after it the id used now (empty:
  // none). unchanged = true: BodyRequest::body goes out as it is, and nothing was put into `out`.
  virtual Result<Unit> process(const BodyRequest&, std::string& out, bool& unchanged, std::string& tuple) = 0;
  // Names of all packages, for Allow-Events: "presence, dialog". Valid until the registry changes.
  virtual std::string_view allow_events() const { return {}; }
  // Whether a NOTIFY of this event may bring this content type (parameters and case of it do not matter).
  virtual bool accepts(int32_t /*event*/, std::string_view /*content_type*/) const { return true; }
  // Reads version and state of a NOTIFY's document (those of presence.winfo, dialog, dialog;sla, reg and conference have them).
  // Errors: bad_body (the document is not what its content type says).
  virtual Result<DocumentState> inspect(int32_t /*event*/, std::string_view /*content_type*/, std::string_view /*body*/) {
    return DocumentState{};
  }
};

}  // namespace pua
