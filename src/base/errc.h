// The error codes of the whole library; the C ABI shows the same numbers (include/pua/pua.h, PUA_E_*).
#pragma once

namespace pua {

enum class Errc : int {
  ok = 0,
  generic = -1,          // an error without a code of its own
  no_record = -9,        // removal, or update, of something that is not there
  no_body = -10,         // a new publication needs a body
  bad_argument = -20,    // a field is missing, negative, or of the wrong kind
  bad_uri = -21,         // not a SIP, SIPS, PRES or TEL URI, or it holds forbidden characters
  unknown_event = -22,   // no such event package is registered
  bad_header = -23,      // CR, LF or NUL where none may be, or a line without a name
  bad_body = -24,        // the document is not what its content type says
  too_large = -25,       // over max_body or another size limit
  too_many_records = -26,
  too_many_waiters = -27,
  no_memory = -28,
  wrong_thread = -29,    // called outside the loop's thread
  after_fork = -30,      // the instance belongs to the parent process
  shutting_down = -31,
  not_supported = -32,   // documented, but not in this version
  bad_config = -33,
  store_failed = -34,    // the database could not be opened, or does not fit
  sip_failed = -35,      // the SIP stack could not be started
  not_found = -36,       // show, get: no such record
  loading = -37,         // not known yet: the table is being loaded
  backlog_full = -38,    // the database takes nothing, and max_backlog rows wait for it: no new records
  bad_etag = 418,        // the etag given is not the confirmed one (the documented value)
};

const char* errc_text(Errc e);

}  // namespace pua
