// How the library's error codes look to a client of the control interface.
#pragma once

#include <string_view>

#include "base/result.h"
#include "control/call.h"
#include "control/context.h"
#include "core/types.h"

namespace pua {

// Answers a request that was accepted and ended in a failure: the final status, with the reason; data tells where it is
// from unless that is the wire. A 2xx by which nothing stands at the server (Outcome::kept) is a 503 here, because no client
// expects an error with the code 200.
void answer_failure(Call&, const Outcome&);

// Answers a request that the library refused: the code of puad(8) where there is one, else that
// of the SIP or HTTP status with the same meaning; 500 only for faults of our own, under the name `failed`.
void answer_error(Call&, const Error&, std::string_view failed = "MI/PUBLISH failed");

// Answers a question about what is not there: 404 and this text, 503 as long as the table is being loaded.
void answer_not_here(ControlContext&, Call&, std::string_view text);

}  // namespace pua
