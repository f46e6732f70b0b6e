// Keeper, what is seen of its records from outside: how many are in which state, lists, single ones. The last part of
// core/keeper.h, which includes it.
#pragma once

#include <array>
#include <functional>
#include <string_view>

#include "core/keeper.h"

namespace pua {

template <class Self, class R>
auto Keeper<Self, R>::by_state() const -> std::array<StateCount, kStates> {
  std::array<StateCount, kStates> out{};
  for (size_t i = 0; i < kStates; i++) out[i] = {state_name(static_cast<State>(i)), by_state_[i]};
  return out;
}

template <class Self, class R>
uint64_t Keeper<Self, R>::list(const ListFilter& f, uint64_t cursor, uint32_t limit, uint32_t scan, ListPage& page,
                               uint32_t& shown, const std::function<void(const RecordView&)>& show_one, MonoMs now) const {
  do {
    cursor = table_.walk(cursor, 1, [&](R& r) {
      page.scanned++;
      if (!f.matches(Self::kKind, r.event, r.source, state_name(r.m->state), r.pres_uri())) return;
      show_one(self().view(r, now));
      shown++;
    });
  } while (cursor && shown < limit && page.scanned < scan);
  return cursor;
}

template <class Self, class R>
bool Keeper<Self, R>::show(std::string_view pres_uri, int32_t event, int32_t source,
                           const std::function<void(const RecordView&)>& fn, MonoMs now) const {
  bool any = false;
  table_.of_uri(pres_uri, [&](R& r) {
    if ((event && r.event != event) || (source && r.source != source)) return;
    any = true;
    fn(self().view(r, now));
  });
  return any;
}

}  // namespace pua
