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
  std::unique_ptr<pua::Instance> instance;  // null after pua_free()
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

// Runs a call on an instance: checks, keeps the handle alive, turns exceptions into codes. fn: int(pua_s&); it finds
// the instance there, but after a callback made inside, it may have gone.
template <class Fn>
int guarded(pua_t* p, Fn fn) noexcept {
  if (Errc e = usable(p); e != Errc::ok) return static_cast<int>(e);
  std::shared_ptr<pua_s> keep = p->shared_from_this();
  try {
    return fn(*keep);
  } catch (const std::bad_alloc&) {
    return fail(p, Errc::no_memory, "out of memory");
  } catch (const std::exception& e) {
    return fail(p, Errc::generic, e.what());
  }
}

// { NULL, 0 } for nothing. The views never outlive their owner's callback.
inline pua_str_t c_str(std::string_view v) { return {const_cast<char*>(v.data()), static_cast<int>(v.size())}; }

}  // namespace pua
