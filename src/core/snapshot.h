// Snapshot: a copy of a record's view that outlives the record.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "core/types.h"

namespace pua {

// A RecordView that owns its strings: observers see the record as it was when its request ended.
struct Snapshot {
  explicit Snapshot(const RecordView& v) : view(v) {
    for (std::string_view RecordView::*f : kTexts) {
      kept.emplace_back(v.*f);
    }
    size_t i = 0;
    for (std::string_view RecordView::*f : kTexts) view.*f = kept[i++];
  }
  static constexpr std::string_view RecordView::*kTexts[] = {
      &RecordView::event_name, &RecordView::pres_uri, &RecordView::pres_id, &RecordView::etag, &RecordView::tuple_id,
      &RecordView::content_type, &RecordView::body, &RecordView::extra_headers, &RecordView::outbound_proxy,
      &RecordView::call_id, &RecordView::state, &RecordView::watcher_uri, &RecordView::to_uri, &RecordView::from_tag,
      &RecordView::to_tag, &RecordView::contact, &RecordView::remote_target, &RecordView::route_set, &RecordView::event_id,
      &RecordView::dialog, &RecordView::notify_state, &RecordView::notify_reason, &RecordView::notify_content_type,
      &RecordView::notify_body};
  RecordView view;
  std::deque<std::string> kept;
};

}  // namespace pua
