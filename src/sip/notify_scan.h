// NOTIFYs that the scanner understood, without sofia. The counterpart of notify_parse.h; of what both understand both say the
// same.
#pragma once

#include <string>

#include "core/notify_port.h"

namespace pua {

struct Scan;

// Room for words that are put into small letters, for the views of a NotifyRequest.
struct PlainNotifyText {
  std::string state, reason;
};

// The views point into the message and text. false: it is not a NOTIFY, or a field is missing or not of the plain form; `out`
// is not to be used then.
bool read_plain_notify(const Scan&, PlainNotifyText& text, NotifyRequest& out);

}  // namespace pua
