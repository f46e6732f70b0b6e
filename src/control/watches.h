// Watches: who wants to see which NOTIFYs, and telling them. Bounded: so many of them in all, of a process and of a user, and
// what a client does not read is lost and counted for it (push.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/service.h"
#include "base/result.h"
#include "control/push.h"

namespace pua {

// Empty fields and 0 match any.
struct WatchFilter {
  std::string pres_uri;      // a trailing '*' matches any rest
  std::string watcher_uri;
  int32_t event = 0;
  bool operator==(const WatchFilter&) const = default;
};

class Watches {
 public:
  static constexpr size_t kMax = 64;
  static constexpr size_t kMaxOfUser = 48;     // some are left for the others
  static constexpr size_t kMaxOfProcess = 16;  // of an address, where the process is not known

  explicit Watches(Service& pua) : pua_(pua) {}
  ~Watches();
  Watches(const Watches&) = delete;
  Watches& operator=(const Watches&) = delete;

  struct Added {
    int64_t id;   // from 1
    bool fresh;   // false: this client has asked for the same before, and it goes on
  };
  // From now on the client gets a JSON-RPC notification "pua_notify" for each NOTIFY that matches. Errors: too_large, there are
  // as many as may be, and somebody reads each of them; not_supported, the client cannot be told anything.
  Result<Added> add(const Caller&, WatchFilter);

  struct Ended {
    size_t watches = 0;
    uint64_t lost = 0;       // messages of theirs that did not reach the client
  };
  Ended remove(const std::string& address, int64_t id);  // id 0: all of that client
  size_t size() const { return all_.size(); }

 private:
  struct Watch {
    int64_t id;
    Caller caller;
    PushLinePtr line;
    WatchFilter filter;
    std::shared_ptr<PushState> state;
  };
  void on_notify(const NotifyView&);
  void tell(const Watch&, const NotifyView&);
  void forget_gone();
  std::string too_many(const Caller&) const;

  Service& pua_;
  std::vector<Watch> all_;
  int64_t last_id_ = 0;
  int observer_ = 0;
  bool observing_ = false;   // from the first watch on
};

}  // namespace pua
