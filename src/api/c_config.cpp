// C ABI: configuration.
#include "api/handle.h"
#include "config/checks.h"
#include "config/parser.h"
#include "config/settings_table.h"

namespace pua {

namespace {

int bad(pua_config_t* cfg, Errc code, std::string message) {
  cfg->error = std::move(message);
  return static_cast<int>(code);
}

// fn: Result<Settings>(warnings). The configuration changes only if it succeeds.
template <class Fn>
int replace(pua_config_t* cfg, Fn fn) noexcept {
  try {
    std::vector<std::string> warnings;
    Result<Settings> read = fn(warnings);
    if (!read) return bad(cfg, read.error().code, read.error().message);
    cfg->settings = std::move(*read);
    cfg->warnings = std::move(warnings);
    return PUA_OK;
  } catch (const std::exception&) {
    cfg->error.clear();
    return PUA_E_NO_MEMORY;
  }
}

int set(pua_config_t* cfg, const char* module, const char* name, const char* text, long long number) noexcept {
  if (!cfg) return fail_thread(Errc::bad_argument, "cfg is NULL");
  try {
    if (!module || !name) return bad(cfg, Errc::bad_argument, "module or name is NULL");
    const Param* param = find_param(module, name);
    if (!param) {
      if (!known_module(module)) return bad(cfg, Errc::bad_config, "unknown module \"" + std::string(module) + "\"");
      return bad(cfg, Errc::bad_config, "module \"" + std::string(module) + "\" has no parameter \"" + name + "\"");
    }
    Literal value;
    value.is_string = text != nullptr;
    value.octal = param->type == ParamType::Mode;
    value.number = number;
    if (text) value.text = text;
    if (Status s = assign(cfg->settings, *param, value); !s) return bad(cfg, s.error().code, s.error().message);
    return PUA_OK;
  } catch (const std::exception&) {
    cfg->error.clear();
    return PUA_E_NO_MEMORY;
  }
}

}  // namespace

}  // namespace pua

extern "C" {

pua_config_t* pua_config_new(void) {
  try {
    return new pua_config_s;
  } catch (const std::exception&) {
    return nullptr;
  }
}

void pua_config_free(pua_config_t* cfg) { delete cfg; }

int pua_config_load(pua_config_t* cfg, const char* path) {
  if (!cfg) return pua::fail_thread(pua::Errc::bad_argument, "cfg is NULL");
  if (!path) return pua::bad(cfg, pua::Errc::bad_argument, "path is NULL");
  return pua::replace(cfg, [&](std::vector<std::string>& warnings) { return pua::load_config(path, warnings); });
}

int pua_config_parse(pua_config_t* cfg, const char* text, size_t len, const char* name) {
  if (!cfg) return pua::fail_thread(pua::Errc::bad_argument, "cfg is NULL");
  if (!text && len > 0) return pua::bad(cfg, pua::Errc::bad_argument, "text is NULL");
  return pua::replace(cfg, [&](std::vector<std::string>& warnings) {
    return pua::parse_config(std::string_view(text ? text : "", len), name ? name : "config", warnings);
  });
}

int pua_config_set_str(pua_config_t* cfg, const char* module, const char* name, const char* value) {
  if (cfg && !value) return pua::bad(cfg, pua::Errc::bad_argument, "value is NULL");
  return pua::set(cfg, module, name, value, 0);
}

int pua_config_set_int(pua_config_t* cfg, const char* module, const char* name, long long value) {
  return pua::set(cfg, module, name, nullptr, value);
}

const char* pua_config_error(const pua_config_t* cfg) { return cfg ? cfg->error.c_str() : pua_last_error(nullptr); }

}  // extern "C"
