#include "base/errc.h"

namespace pua {

const char* errc_text(Errc e) {
  switch (e) {
    case Errc::ok: return "no error";
    case Errc::generic: return "error";
    case Errc::no_record: return "no record to update or remove";
    case Errc::no_body: return "a new publication needs a body";
    case Errc::bad_argument: return "bad argument";
    case Errc::bad_uri: return "bad URI";
    case Errc::unknown_event: return "unknown event package";
    case Errc::bad_header: return "bad header field";
    case Errc::bad_body: return "bad body";
    case Errc::too_large: return "too large";
    case Errc::too_many_records: return "too many records";
    case Errc::too_many_waiters: return "too many requests wait for this record";
    case Errc::no_memory: return "out of memory";
    case Errc::wrong_thread: return "called outside the loop's thread";
    case Errc::after_fork: return "used after fork";
    case Errc::shutting_down: return "shutting down";
    case Errc::not_supported: return "not supported in this version";
    case Errc::bad_config: return "bad configuration";
    case Errc::store_failed: return "store failed";
    case Errc::sip_failed: return "SIP stack failed";
    case Errc::not_found: return "not found";
    case Errc::backlog_full: return "the database takes nothing and too much waits for it";
    case Errc::loading: return "the table is being loaded";
    case Errc::bad_etag: return "entity-tag does not match";
  }
  return "unknown error";
}

}  // namespace pua
