#include "store/stored_row.h"

namespace pua {

namespace {

// Every string of a row, so that copying one cannot forget another.
constexpr std::string_view Row::*kTexts[] = {
    &Row::pres_uri,     &Row::pres_id, &Row::watcher_uri,    &Row::to_uri,        &Row::etag,        &Row::tuple_id,
    &Row::call_id,      &Row::to_tag,  &Row::from_tag,       &Row::record_route,  &Row::contact,     &Row::remote_contact,
    &Row::extra_headers, &Row::sharing_tag, &Row::body,      &Row::content_type,  &Row::outbound_proxy,
    &Row::event_id,     &Row::target};

}  // namespace

void StoredRow::adopt() {
  size_t total = 0;
  for (auto t : kTexts) total += (row_.*t).size();
  std::string text;
  text.reserve(total);
  for (auto t : kTexts) text.append(row_.*t);
  text_ = std::move(text);
  size_t at = 0;
  for (auto t : kTexts) {
    size_t n = (row_.*t).size();
    row_.*t = std::string_view(text_).substr(at, n);
    at += n;
  }
}

StoredRow& StoredRow::operator=(const StoredRow& o) {
  row_ = o.row_;
  adopt();
  return *this;
}

}  // namespace pua
