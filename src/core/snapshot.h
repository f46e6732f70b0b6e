// Snapshot: a copy of a record's view that outlives the record, its texts in one block of memory.
#pragma once

#include <cstring>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "core/types.h"

namespace pua {

// A RecordView that owns its strings: observers see the record as it was when its request ended.
class Snapshot {
 public:
  Snapshot() = default;
  explicit Snapshot(const RecordView& v) { take(v); }

  // Another record's view in its place; the block is used again where it is large enough. `more`: views that are to point
  // into the block too, as long as this one is kept. Throws std::bad_alloc.
  void take(const RecordView& v, std::initializer_list<std::string_view*> more = {}) {
    view = v;
    size_t octets = 0;
    for (std::string_view RecordView::*f : kTexts) octets += (view.*f).size();
    for (const std::string_view* text : more) octets += text->size();
    if (octets > room_) {
      room_ = 0;  // if there is no memory
      block_.reset(new char[octets]);
      room_ = octets;
    }
    char* at = block_.get();
    for (std::string_view RecordView::*f : kTexts) at = put(view.*f, at);
    for (std::string_view* text : more) at = put(*text, at);
  }
  size_t room() const { return room_; }  // octets that it holds

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
      text = {};  // not even a pointer to what may be gone
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
