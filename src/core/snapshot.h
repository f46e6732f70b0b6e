// Snapshot: a copy of a record's view that outlives the record, with its texts in one block of memory.
#pragma once

#include <cstring>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "core/types.h"

namespace pua {

// A RecordView that owns its strings. Observers see by it the record as it was when its request ended.
class Snapshot {
 public:
  Snapshot() = default;
  explicit Snapshot(const RecordView& v) { take(v); }

  // Copies another view in place of the last one; the block is used again where it is large enough. `more`: other texts to be
  // copied into the block; these views then point there. Throws std::bad_alloc.
  void take(const RecordView& v, std::initializer_list<std::string_view*> more = {}) {
    view = v;
    size_t octets = 0;
    for (std::string_view RecordView::*f : kTexts) octets += (view.*f).size();
    for (const std::string_view* text : more) octets += text->size();
    if (octets > room_) {
      room_ = 0;  // stays 0 if the allocation throws
      block_.reset(new char[octets]);
      room_ = octets;
    }
    char* at = block_.get();
    for (std::string_view RecordView::*f : kTexts) at = put(view.*f, at);
    for (std::string_view* text : more) at = put(*text, at);
  }
  size_t room() const { return room_; }  // octets of the block

  static constexpr std::string_view RecordView::*kTexts[] = {
      &RecordView::event_name, &RecordView::pres_uri, &RecordView::pres_id, &RecordView::etag, &RecordView::tuple_id,
      &RecordView::content_type, &RecordView::body, &RecordView::extra_headers, &RecordView::outbound_proxy,
      &RecordView::call_id, &RecordView::state, &RecordView::watcher_uri, &RecordView::to_uri, &RecordView::from_tag,
      &RecordView::to_tag, &RecordView::contact, &RecordView::remote_target, &RecordView::route_set, &RecordView::event_id,
      &RecordView::dialog, &RecordView::notify_state, &RecordView::notify_reason, &RecordView::notify_content_type,
      &RecordView::notify_body};
  RecordView view;

 private:
  static char* put(std::string_view& text, char* at) {
    if (text.empty()) {
      text = {};  // an empty view, too, must not point into the record, which may be gone
      return at;
    }
    memcpy(at, text.data(), text.size());
    text = {at, text.size()};
    return at + text.size();
  }

  std::unique_ptr<char[]> block_;
  size_t room_ = 0;
};

}  // namespace pua
