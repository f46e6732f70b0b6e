// Documents as notifiers write them: whatever can be read as XML without entities and without a network is made into plain
// UTF-8 for the reader, whatever its encoding. The document itself is handed on as it came.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pua {

// What the reader is to see of `doc`: in UTF-8, without what may not stand before or behind it (a byte order mark, blank lines
// before the XML declaration, NUL at the end), and without a document type and what stands before that. What a document type
// declares is not looked at: a document that uses an entity of it is refused by the reader, which does not know the entity. The
// view is into `doc` where nothing had to be changed, else into `storage`.
// Encodings: UTF-8, US-ASCII, UTF-16 (XML 1.0 section 4.3.3 demands both), ISO-8859-1 to -16, windows-1250 to -1258, KOI8-R,
// KOI8-U, by any of their usual names. Errors: bad_body: another encoding, or octets that do not belong to the encoding that
// the document names.
Result<std::string_view> plain_xml(std::string_view doc, std::string& storage);

}  // namespace pua
