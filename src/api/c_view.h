// A record as the callbacks of the C ABI see it.
#pragma once

#include "api/handle.h"

namespace pua {

// Fills a ua_pres_t from a view; both are valid as long as the view is.
class PresView {
 public:
  PresView(const RecordView& v, int ua_flag);
  PresView(const PresView&) = delete;
  PresView& operator=(const PresView&) = delete;

  ua_pres_t* pres() { return &pres_; }

 private:
  pua_str_t pres_uri_, watcher_uri_, proxy_;
  ua_pres_t pres_{};
};

}  // namespace pua
