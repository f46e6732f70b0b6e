#include "config/reload.h"

#include "config/settings_table.h"

namespace pua {

static bool same(const Credential& a, const Credential& b) {
  return a.realm == b.realm && a.user == b.user && a.password == b.password;
}

template <class T>
static bool same(const T& a, const T& b) {
  return a == b;
}

static bool same(const std::vector<Credential>& a, const std::vector<Credential>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); i++) {
    if (!same(a[i], b[i])) return false;
  }
  return true;
}

void apply_reloadable(Settings& running, const Settings& fresh, std::vector<std::string>& changed,
                      std::vector<std::string>& ignored) {
  for (const Param& p : settings_table()) {
    std::visit(
        [&](auto field) {
          if (same(running.*field, fresh.*field)) return;
          std::string name = std::string(p.module) + " " + std::string(p.name);
          if (!p.reloadable) {
            ignored.push_back(std::move(name));
            return;
          }
          running.*field = fresh.*field;
          changed.push_back(std::move(name));
        },
        p.field);
  }
}

}  // namespace pua
