// Exit statuses of puactl, as puactl(1) lists them.
#pragma once

namespace puactl {

constexpr int kGood = 0;
constexpr int kError = 1;        // the daemon answered with an error
constexpr int kUsage = 2;
constexpr int kUnreachable = 3;
constexpr int kTimeout = 4;      // no answer in time
constexpr int kEnded = 5;        // the other side ended the watched subscription

}  // namespace puactl
