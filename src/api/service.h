// Service: what a front end asks of an instance: requests, looks at the records, NOTIFYs as they come, numbers. Instance is the
// one that serves; a front end is tested with one that needs neither SIP nor a store. Loop thread only.
#pragma once

#include <functional>
#include <string_view>

#include "api/measurements.h"
#include "base/log.h"
#include "base/result.h"
#include "base/watchdog.h"
#include "core/types.h"

struct event_base;

namespace pua {

class Service {
 public:
  virtual event_base* base() = 0;
  // Of the loop, for callbacks on base() that are not the instance's; nullptr: there is none. Lives as long as the instance.
  virtual Watchdog* watchdog() = 0;
  virtual Log& log() = 0;

  // Accepts a request, or says why not (and nothing changes). done is called exactly once, later, from the loop.
  virtual Status publish(const PublishRequest&, RequestDone done) = 0;
  // The same for a subscription (RFC 6665).
  virtual Status subscribe(const SubscribeRequest&, RequestDone done) = 0;

  // NOTIFYs of subscriptions whose source bit is in the mask, as they come; until the instance ends. Returns a handle.
  virtual int observe_notifies(int32_t source_mask, NotifyObserver) = 0;
  virtual void forget_observer(int handle) = 0;

  // Shows the records that match, from cursor on: about `limit` of them (whole hash buckets, so a few more may come),
  // looking at a bounded number of records.
  virtual ListPage list(const ListFilter&, uint64_t cursor, uint32_t limit,
                        const std::function<void(const RecordView&)>& show) = 0;
  // The records of one presentity (event, source 0: any). not_found if there is none.
  virtual Status show(std::string_view pres_uri, int32_t event, int32_t source,
                      const std::function<void(const RecordView&)>& fn) = 0;
  // Both cost the same however many records there are.
  virtual Stats stats() const = 0;
  virtual Measurements measurements() const = 0;

  // Writes everything unwritten; done(ok) once, later. ok = false: not all could be written within shutdown_timeout.
  virtual void flush(std::function<void(bool ok)> done) = 0;

 protected:
  ~Service() = default;  // nobody ends an instance through this
};

}  // namespace pua
