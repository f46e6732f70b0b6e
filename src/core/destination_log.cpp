#include "core/destination_log.h"

#include <algorithm>
#include <string>

namespace pua {

namespace {

constexpr size_t kLongestReason = 300;  // octets: what servers and libraries say may be anything

int length(std::string_view s, size_t most = 255) { return static_cast<int>(std::min(s.size(), most)); }

std::string left_out(uint64_t more) {
  return more > 0 ? " (" + std::to_string(more) + " lines like this were left out)" : std::string();
}

// What went wrong, without the server in front where that is the destination itself: the line has named it.
std::string_view reason_at(std::string_view why, std::string_view destination) {
  if (why.starts_with(destination) && why.substr(destination.size()).starts_with(": ")) why.remove_prefix(destination.size() + 2);
  return why;
}

}  // namespace

void DestinationLog::failed(FailureSpell& s, std::string_view destination, std::string_view why, MonoMs now) {
  s.failed++;
  if (s.going_on() || now < s.quiet_until) return;
  s.told = FailureSpell::Told::Failing;
  s.since = now;
  uint64_t more = 0;
  s.silent = !gate_.pass(now, more);
  if (s.silent) return;
  why = reason_at(why, destination);
  log_.warning("Requests to %.*s fail: %.*s. They are kept and tried again%s.", length(destination), destination.data(),
               length(why, kLongestReason), why.data(), left_out(more).c_str());
}

void DestinationLog::left_alone(FailureSpell& s, std::string_view destination, std::string_view why, MonoMs quiet_ms) {
  if (s.told != FailureSpell::Told::Failing) return;
  s.told = FailureSpell::Told::LeftAlone;
  if (s.silent) return;
  why = reason_at(why, destination);
  if (quiet_ms > 0) {
    log_.warning("%.*s has asked for quiet (%.*s): nothing is sent there for %lld s.", length(destination), destination.data(),
                 length(why, kLongestReason), why.data(), static_cast<long long>(quiet_ms / 1000));
  } else {
    log_.warning("%.*s does not answer, %u requests failed, the last: %.*s. Only one request at a time is sent there until it does.",
                 length(destination), destination.data(), s.failed, length(why, kLongestReason), why.data());
  }
}

void DestinationLog::answered(FailureSpell& s, std::string_view destination, MonoMs now) {
  if (!s.going_on()) {
    s.failed = 0;
    return;
  }
  if (!s.silent) {
    log_.notice("%.*s answers again after %lld s; %u requests failed meanwhile.", length(destination), destination.data(),
                static_cast<long long>((now - s.since) / 1000), s.failed);
  }
  end(s, now);
}

void DestinationLog::forgotten(FailureSpell& s, std::string_view destination, MonoMs now) {
  if (s.going_on() && !s.silent) {
    log_.notice("Nothing is to be sent to %.*s any more; the last requests to it failed.", length(destination), destination.data());
  }
  end(s, now);
}

void DestinationLog::end(FailureSpell& s, MonoMs now) {
  bool again = s.pause > 0 && s.since - s.quiet_until < kLongestPause;
  s.pause = again ? std::min(s.pause * 2, kLongestPause) : kFirstPause;
  s.quiet_until = now + s.pause;
  s.told = FailureSpell::Told::Nothing;
  s.failed = 0;
}

}  // namespace pua
