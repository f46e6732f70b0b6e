// Descriptors: which errors say that there are none left, and how near the process is to its limit of open files.
#pragma once

namespace pua {

// Whether this errno of accept, socket or open says that the system has no descriptor, or no memory for one. That may pass, but
// whoever tries again at once keeps the loop busy.
bool out_of_descriptors(int error);

// The limit of open files as it is now (RLIMIT_NOFILE).
int descriptor_limit();

// How many of `reserve` descriptors are really held back where the limit is `limit`: a quarter of the limit at most.
int descriptor_reserve(int limit, int reserve);

// Is this descriptor, just opened, one of the last `reserve` below the limit? The system gives out the lowest number that is
// free, so a high number says that all below it are in use, whoever has them.
bool in_descriptor_reserve(int fd, int reserve);

}  // namespace pua
