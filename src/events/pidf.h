// Presence documents (PIDF, RFC 3863, with the data model of RFC 4479): stable ids, entity.
#pragma once

#include <string>

#include "base/result.h"
#include "core/bodies_port.h"
#include "events/xml_reader.h"

namespace pua {

// Checks the document and adds what it lacks, everything else stays as it is, octet by octet:
// - tuple, person and device without an id get one that is derived from the record's key (pres_uri, id, source), the
//   same each time; the first tuple gets `tuple` if that names one (the id used so far);
// - a missing entity is made from pres_uri: "pres:user@host" for a SIP URI (RFC 3863 4.1.1), else pres_uri as it is.
// tuple, out: the id of the first tuple; empty if there is none, or it is over kMaxTupleId octets or holds a
// control character.
// unchanged: nothing had to be added, out is untouched.
// Errors (bad_body): see XmlReader::read; root element that is not presence in urn:ietf:params:xml:ns:pidf; more than 64
// elements without an id.
constexpr size_t kMaxTupleId = 255;
Result<Unit> process_pidf(XmlReader&, const BodyRequest&, std::string& out, bool& unchanged, std::string& tuple);

}  // namespace pua
