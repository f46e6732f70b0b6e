#include "sip/answers.h"

#include <utility>

namespace pua {

void Answers::forget_oldest() {
  by_key_.remove(by_age_.front());
  by_age_.pop_front();
}

const NotifyAnswer* Answers::find(uint64_t key, MonoMs now) {
  while (!by_age_.empty() && by_age_.front().until <= now) forget_oldest();
  const Kept* k = by_key_.first(key);
  return k ? &k->answer : nullptr;
}

void Answers::keep(uint64_t key, NotifyAnswer answer, MonoMs now) {
  while (!by_age_.empty() && (by_age_.size() >= most_ || by_age_.front().until <= now)) forget_oldest();
  by_age_.emplace_back(now + keep_ms_, std::move(answer));
  by_key_.add(by_age_.back(), key);
}

}  // namespace pua
