// Documents other than presence: XML with a version number (RFC 4235, 3680, 3858), other XML, message summaries (RFC 3842).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "core/bodies_port.h"
#include "events/xml_reader.h"

namespace pua {

// Checks that the document is safe, well-formed XML. The version attribute of a dialog-info, reginfo or watcherinfo root
// element (in its namespace, or in none) becomes BodyRequest::version; all else goes as it is.
// unchanged: as in BodiesPort::process. Errors (bad_body, too_large): see XmlReader::read.
Status process_xml(XmlReader&, const BodyRequest&, std::string& out, bool& unchanged);

// RFC 3842 5.2: a line "Messages-Waiting: yes" or "no", then "name: value" lines. Error: bad_body, says which line.
Status check_message_summary(std::string_view body);
// The same for the first line alone: what comes in is not refused for a line that no one needs.
Status check_message_summary_start(std::string_view body);

}  // namespace pua
