#include "sip/digest_troubles.h"

#include "base/log.h"

namespace pua {

void DigestTroubles::begin(uint64_t place, std::string_view where, std::string_view what, MonoMs now) {
  if (!troubles_.contains(place) && troubles_.size() >= kMaxPlaces) {
    open_ -= troubles_.begin()->second.open ? 1 : 0;
    troubles_.erase(troubles_.begin());
  }
  Trouble& t = troubles_[place];
  if (t.open) return;
  t.open = true;
  open_++;
  t.where = where;
  t.times++;
  uint64_t more = 0;
  t.told = (t.times & (t.times - 1)) == 0 && gate_.pass(now, more);
  if (!t.told || !log_) return;
  std::string left_out = more ? " (" + std::to_string(more) + " lines like this left out)" : "";
  log_->warning("sip: %.*s %.*s%s", static_cast<int>(where.size()), where.data(), static_cast<int>(what.size()), what.data(),
                left_out.c_str());
}

void DigestTroubles::over(uint64_t place) {
  auto it = troubles_.find(place);
  if (it == troubles_.end() || !it->second.open) return;
  it->second.open = false;
  open_--;
  if (it->second.told && log_) log_->notice("sip: %s takes our requests again", it->second.where.c_str());
}

void DigestTroubles::clear() {
  troubles_.clear();
  open_ = 0;
}

}  // namespace pua
