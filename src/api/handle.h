// The structures behind the opaque types of the C ABI, and what its calls share: checks, errors, no exception outside.
#pragma once

#include <forward_list>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#define PUA_NO_STR  // the library's own code calls it pua_str_t
#include "api/instance.h"
#include "pua/pua.h"

// An instance as the host holds it. Kept alive by itself until pua_free(), by each call on it while it runs, and by each
// callback still to come.
struct pua_s : std::enable_shared_from_this<pua_s> {
  std::shared_ptr<pua_s> self;
  pua::Instance::Owner instance;  // null after pua_free()
  std::string last_error;
  std::string answer_headers, answer_reason;  // of the last NOTIFY answered
};

struct pua_config_s {
  pua::Settings settings;
  std::vector<std::string> warnings;  // of the file, logged by pua_new()
  std::string error;
};

// Lives on the stack around one callback.
struct pua_reply_s {
  const pua::Outcome& outcome;
  pua_t* pua;
  void* param;
  std::forward_list<std::string> headers;  // what pua_reply_header() gave out
};

namespace pua {

// Keep the message for pua_last_error(); the result is `code`, for the caller to return.
int fail(pua_t* p, Errc code, std::string_view message) noexcept;
int fail(pua_t* p, const Error& e) noexcept;
int fail_thread(Errc code, std::string_view message) noexcept;  // no instance to keep it

// ok, or why this call cannot be made now (message kept): NULL, another thread, after fork, freed.
Errc usable(pua_t* p) noexcept;

// Stands on the stack during a call on an instance: checks, and keeps the handle alive. The calls for requests and NOTIFYs use
// it directly, so that a backtrace shows no more than the call, the instance and the engine (tests/api/ways_test.cpp); the
// other calls are lambdas given to guarded().
class Call {
 public:
  explicit Call(pua_t* p) noexcept : refusal_(usable(p)), handle_(refusal_ == Errc::ok ? p->shared_from_this() : nullptr) {}
  // PUA_OK, or why the call cannot be made; then there is no handle.
  int refusal() const { return static_cast<int>(refusal_); }
  // Its instance is there at first; a callback of the host that runs inside the call may free it.
  pua_s& handle() const { return *handle_; }
  // The code for what is being caught.
  int caught() const noexcept;

 private:
  Errc refusal_;
  std::shared_ptr<pua_s> handle_;
};

// Runs fn, int(pua_s&), as a call on an instance; turns exceptions into codes.
template <class Fn>
int guarded(pua_t* p, Fn fn) noexcept {
  Call call(p);
  if (int rc = call.refusal()) return rc;
  try {
    return fn(call.handle());
  } catch (...) {
    return call.caught();
  }
}

// An empty view that has no data becomes { NULL, 0 }. What a callback is shown is valid until it returns.
inline pua_str_t c_str(std::string_view v) { return {const_cast<char*>(v.data()), static_cast<int>(v.size())}; }

}  // namespace pua
