#include "core/destination_log.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace pua {

namespace {

using State = FailureSpell::State;

constexpr size_t kLongestReason = 300;  // octets: servers and libraries may give reasons of any length

int length(std::string_view s, size_t most = 255) { return static_cast<int>(std::min(s.size(), most)); }

// What went wrong. If the text begins with the destination, that is cut off, because the line names it already.
std::string reason_at(std::string_view why, std::string_view destination) {
  if (why.starts_with(destination) && why.substr(destination.size()).starts_with(": "))
    why.remove_prefix(destination.size() + 2);
  return shortened(why, kLongestReason);
}

// Whether the last line is still true. If the server has asked for quiet again, by a good deal longer, that line is old; but
// then lines come no more often than for a destination that fails and answers in turn.
bool true_still(const FailureSpell& s, MonoMs now) {
  if (s.state != s.said) return false;
  bool renewed = now >= s.server_quiet_said || s.server_quiet_until > s.server_quiet_said + DestinationLog::kLasting;
  return s.state != State::Quiet || !renewed || now < s.quiet_until;
}

}  // namespace

std::string DestinationLog::left_out(FailureSpell& s, uint64_t more) {
  std::string out;
  if (s.untold > 0) out += " (it failed and answered " + std::to_string(s.untold) + " times since the last line about it)";
  if (more > 0) out += " (" + std::to_string(more) + " lines like this were left out)";
  s.untold = 0;
  return out;
}

void DestinationLog::failed(FailureSpell& s, std::string_view destination, std::string_view why, MonoMs now) {
  s.failed++;
  if (s.state == State::Answers) s.since = now;
  if (s.state == State::Answers || (s.state == State::Quiet && now >= s.server_quiet_until)) s.state = State::Failing;
  if (s.silent) return;
  s.why = reason_at(why, destination);
  settle(s, destination, now);
}

void DestinationLog::left_alone(FailureSpell& s, std::string_view destination, MonoMs quiet_ms, MonoMs now) {
  s.state = quiet_ms > 0 ? State::Quiet : State::LeftAlone;
  s.server_quiet_until = now + quiet_ms;
  settle(s, destination, now);
}

void DestinationLog::answered(FailureSpell& s, std::string_view destination, MonoMs now) {
  if (!s.going_on()) {
    s.failed = 0;
    return;
  }
  s.state = State::Answers;
  bool was_said = s.said != State::Answers;
  uint32_t failed = std::exchange(s.failed, 0);
  if (!was_said) {
    if (!std::exchange(s.silent, false)) s.untold++;
    return settle(s, destination, now);
  }
  s.said = State::Answers;
  end(s, now);
  settle(s, destination, now);
  log_.notice("%.*s answers again after %lld s; %u requests failed meanwhile.", length(destination), destination.data(),
              static_cast<long long>((now - s.since) / 1000), failed);
}

void DestinationLog::forgotten(FailureSpell& s, std::string_view destination) {
  waiting_.remove(s);
  bool last = s.going_on() && s.named;
  s = {};
  if (last)
    log_.notice("Nothing is to be sent to %.*s any more; the last requests to it failed.", length(destination),
                destination.data());
}

void DestinationLog::end(FailureSpell& s, MonoMs now) {
  bool again = s.pause > 0 && s.told_at - s.quiet_until < kLongestPause;
  s.pause = again ? std::min(s.pause * 2, kLongestPause) : kFirstPause;
  s.quiet_until = now + s.pause;
}

// Something has changed: a line is written now, or later, or none is needed.
void DestinationLog::settle(FailureSpell& s, std::string_view destination, MonoMs now) {
  if (s.silent) return;
  s.name = destination;
  if (true_still(s, now)) {
    // It failed within a pause, without a line, and answers again: if nothing else comes, a line tells of that later.
    waiting_.set(s, s.untold > 0 && !s.going_on() ? std::max(s.quiet_until, now) + kLasting : kNever);
    return;
  }
  // If the last line said that requests fail, a change is told at once; else after the pause, or when it has lasted. A failure
  // after a time of quiet waits, because the server may ask for quiet again at once.
  MonoMs lasts = (s.said == State::Answers ? s.since : now) + kLasting;
  MonoMs when = s.said == State::Failing                              ? now
                : s.said == State::Quiet && s.state == State::Failing ? lasts
                                                                      : std::min(s.quiet_until, lasts);
  if (when > now) return waiting_.set(s, s.said == State::Answers ? when : std::min(when, waiting_.due(s)));
  tell(s, destination, now);
}

void DestinationLog::tell(FailureSpell& s, std::string_view destination, MonoMs now) {
  uint64_t more = 0;
  bool begins = s.said == State::Answers;
  // The last line about it is not true any more, and so must be followed by another one: it waits for the gate to open.
  if (begins && s.named && gate_.opens() > now) return waiting_.set(s, gate_.opens());
  if (begins && !gate_.pass(now, more)) {
    s.silent = true;
    return waiting_.set(s, kNever);
  }
  waiting_.set(s, kNever);
  std::string why = s.why, rest = left_out(s, more);   // copies, because a log callback may call anything and change the spell
  MonoMs quiet_ms = s.server_quiet_until - now;
  if (s.state == State::Quiet && quiet_ms <= 0) s.state = State::Failing;
  if (begins) s.told_at = now;
  else if (s.said != State::Failing) end(s, now);      // it asks for quiet again, or fails otherwise: as if a spell had ended
  s.said = s.state;
  s.named = true;
  s.server_quiet_said = s.server_quiet_until;
  uint32_t failed = s.failed;
  switch (s.state) {
    case State::Answers: break;
    case State::Failing:
      log_.warning("Requests to %.*s fail: %s. They are kept and tried again%s.", length(destination), destination.data(),
                   why.c_str(), rest.c_str());
      break;
    case State::LeftAlone:
      log_.warning("%.*s does not answer, %u requests failed, the last: %s. Only one request at a time is sent there until it "
                   "does%s.",
                   length(destination), destination.data(), failed, why.c_str(), rest.c_str());
      break;
    case State::Quiet:
      log_.warning("%.*s has asked for quiet (%s): nothing is sent there for %lld s%s.", length(destination),
                   destination.data(), why.c_str(), static_cast<long long>((quiet_ms + 999) / 1000), rest.c_str());
      break;
  }
}

MonoMs DestinationLog::next_due() const {
  if (gate_.left_out() > 0) return gate_.opens();
  return waiting_.empty() ? kNever : std::max(waiting_.next(), gate_.opens());
}

void DestinationLog::run(MonoMs now) {
  if (next_due() > now) return;
  if (waiting_.next() > now) {
    log_.warning("Requests to other destinations fail, too: %llu lines about them were left out.",
                 static_cast<unsigned long long>(gate_.take_left_out()));
    return;
  }
  FailureSpell& s = *waiting_.top();
  if (s.going_on()) return tell(s, s.name, now);
  waiting_.remove(s);
  uint32_t times = std::exchange(s.untold, 0);
  std::string name(s.name.substr(0, 255));
  log_.notice("%s failed and answered %u times more since the last line about it, and answers now.", name.c_str(), times);
}

}  // namespace pua
