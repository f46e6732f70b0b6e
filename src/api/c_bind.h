// The default instance of the process: pua_free() says here that an instance goes.
#pragma once

#include "api/handle.h"

namespace pua {

void forget_default(pua_t* p);  // if it is p

}  // namespace pua
