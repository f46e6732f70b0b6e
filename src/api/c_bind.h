// The default instance of the process: what pua_free() must tell it.
#pragma once

#include "api/handle.h"

namespace pua {

void forget_default(pua_t* p);  // if it is p

}  // namespace pua
