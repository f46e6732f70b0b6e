// What the document of a NOTIFY says of itself: whether it is what its type says, its version, full or partial state.
#pragma once

#include <string_view>

#include "base/result.h"
#include "core/bodies_port.h"
#include "events/xml_reader.h"

namespace pua {

// By content type (case and parameters do not matter), without building a tree:
// - watcherinfo (RFC 3858), dialog-info (RFC 4235), reginfo (RFC 3680): version and state are required, Full or Partial;
// - conference-info (RFC 4575): state is "full" if not said; "deleted" counts as Full; Opaque if there is no version,
//   which a partial document must have;
// - PIDF (RFC 3863): well-formed with its root element, Opaque;
// - message summary (RFC 3842): its first line is "Messages-Waiting: yes" or "no", Opaque; later lines may be anything;
// - all other types: Opaque, not looked at.
// Errors: bad_body, names the element or attribute at fault; too_large, no_memory: see XmlReader::read.
Result<DocumentState> inspect_document(XmlReader&, std::string_view content_type, std::string_view body);

// Version and state of a watcherinfo document, from its root element. Errors: as above.
Result<DocumentState> watcherinfo_root(const XmlElement& root);

}  // namespace pua
