#include "sip/answers.h"

#include <utility>

namespace pua {

void Answers::forget_oldest() {
  auto it = number_.find(by_age_.front().key);
  if (it != number_.end() && it->second == first_) number_.erase(it);
  by_age_.pop_front();
  first_++;
}

const NotifyAnswer* Answers::find(uint64_t key, MonoMs now) {
  while (!by_age_.empty() && by_age_.front().until <= now) forget_oldest();
  auto it = number_.find(key);
  return it == number_.end() ? nullptr : &by_age_[it->second - first_].answer;
}

void Answers::keep(uint64_t key, NotifyAnswer answer, MonoMs now) {
  while (!by_age_.empty() && (by_age_.size() >= most_ || by_age_.front().until <= now)) forget_oldest();
  number_[key] = first_ + by_age_.size();
  by_age_.push_back({key, now + keep_ms_, std::move(answer)});
}

}  // namespace pua
