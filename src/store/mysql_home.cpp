#include "store/mysql_home.h"

namespace pua {

void MysqlHome::turn(const std::function<void()>& callback) {
  if (!loop_.turn || base_ != loop_.base) return callback();
  auto owner = loop_.turn;  // may go with this object, inside
  Watchdog::Scope scope(loop_.watchdog, "store.db");
  owner(callback);
}

}  // namespace pua
