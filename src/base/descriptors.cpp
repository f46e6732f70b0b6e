#include "base/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace pua {

bool out_of_descriptors(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

int descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX) return INT_MAX;
  return static_cast<int>(limit.rlim_cur);
}

int descriptor_reserve(int limit, int reserve) { return std::clamp(reserve, 0, limit / 4); }

bool in_descriptor_reserve(int fd, int reserve) {
  int limit = descriptor_limit();
  return fd >= limit - descriptor_reserve(limit, reserve);
}

}  // namespace pua
