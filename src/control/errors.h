// How the library's error codes look to a client of the control interface.
#pragma once

#include <string_view>

#include "base/result.h"
#include "control/call.h"

namespace pua {

// Answers a request that the library refused: the code of spec section 9 (reference 7.1) where there is one, else that
// of the SIP or HTTP status with the same meaning; 500 only for faults of our own.
void answer_error(Call&, const Error&);

}  // namespace pua
