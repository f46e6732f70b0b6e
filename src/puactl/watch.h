// Watch: subscribes and shows each NOTIFY as it comes.
#pragma once

#include "puactl/arguments.h"
#include "puactl/client.h"
#include "puactl/report.h"

namespace puactl {

// Until the subscription has ended, or SIGINT or SIGTERM; a daemon that restarts meanwhile is found again. The exit status.
int run_watch(const Invocation& in, Client& client, const Report& report);

}  // namespace puactl
