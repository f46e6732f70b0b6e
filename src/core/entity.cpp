#include "core/entity.h"

#include <utility>

namespace pua {

void WaiterList::push(RequestDone done, MonoMs now) {
  auto w = std::make_unique<Waiter>();
  w->done = std::move(done);
  w->since = static_cast<uint32_t>(now);
  Waiter* raw = w.get();
  (tail_ ? tail_->next : head_) = std::move(w);
  tail_ = raw;
  size_++;
}

void WaiterList::mark_superseded() {
  for (Waiter* w = head_.get(); w; w = w->next.get()) w->superseded = true;
}

void WaiterList::append(WaiterList&& other) {
  if (!other.head_) return;
  (tail_ ? tail_->next : head_) = std::move(other.head_);
  tail_ = std::exchange(other.tail_, nullptr);
  size_ += std::exchange(other.size_, 0u);
}

std::unique_ptr<Waiter> WaiterList::pop() {
  if (!head_) return nullptr;
  auto w = std::move(head_);
  head_ = std::move(w->next);
  if (!head_) tail_ = nullptr;
  size_--;
  return w;
}

}  // namespace pua
