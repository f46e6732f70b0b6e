#include "api/handle.h"

namespace pua {

namespace {

std::string& thread_error() {
  thread_local std::string text;
  return text;
}

void keep(std::string& where, std::string_view message) noexcept {
  try {
    where.assign(message);
  } catch (const std::bad_alloc&) {
    where.clear();
  }
}

// Whether the caller may touch what is in the handle. A handle without instance is met in its last callbacks only.
bool here(const pua_t* p) noexcept { return !p->instance || p->instance->check().ok(); }

}  // namespace

int fail_thread(Errc code, std::string_view message) noexcept {
  keep(thread_error(), message);
  return static_cast<int>(code);
}

int fail(pua_t* p, Errc code, std::string_view message) noexcept {
  if (!p || !here(p)) return fail_thread(code, message);
  keep(p->last_error, message);
  return static_cast<int>(code);
}

int fail(pua_t* p, const Error& e) noexcept {
  return fail(p, e.code, e.message.empty() ? std::string_view(errc_text(e.code)) : std::string_view(e.message));
}

Errc usable(pua_t* p) noexcept {
  if (!p) {
    fail_thread(Errc::bad_argument, "pua is NULL");
    return Errc::bad_argument;
  }
  if (!p->instance) {
    fail(p, Errc::shutting_down, "the instance was freed");
    return Errc::shutting_down;
  }
  Status s = p->instance->check();
  if (!s) fail_thread(s.code(), s.error().message);
  return s.code();
}

int Call::caught() const noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return fail(handle_.get(), Errc::no_memory, "out of memory");
  } catch (const std::exception& e) {
    return fail(handle_.get(), Errc::generic, e.what());
  }
}

}  // namespace pua

extern "C" {

const char* pua_last_error(pua_t* p) {
  if (!p || !pua::here(p)) return pua::thread_error().c_str();
  return p->last_error.c_str();
}

const char* pua_strerror(int code) { return pua::errc_text(static_cast<pua::Errc>(code)); }

const char* pua_version(void) { return PUA_VERSION_STRING; }

}  // extern "C"
