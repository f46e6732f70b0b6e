#include "store/open.h"

#include <utility>

#include "store/db_url.h"
#include "store/memory_store.h"
#include "store/mysql_store.h"
#include "store/sqlite_store.h"

namespace pua {

Status check_store(const StoreSettings& s) {
  Result<DbUrl> url = parse_db_url(s.db_url);
  if (!url) return url.error();
  if (Status table = check_table_name(s.db_table); !table) return table;
  if (url->kind == DbKind::Mysql && s.tls_verify && s.tls_ca.empty())
    return {Errc::bad_config, "db_tls is \"verify\", and db_tls_ca names no file"};
  if (url->kind == DbKind::Mysql && s.clear_password && !s.tls)
    return {Errc::bad_config, "db_clear_password needs db_tls: without it everybody on the way can read the password"};
  return success();
}

Result<std::unique_ptr<StoreAdapter>> open_store(const StoreSettings& s, StoreLoop loop, Log& log) {
  if (Status fit = check_store(s); !fit) return fit.error();
  Result<DbUrl> url = parse_db_url(s.db_url);
  if (url->kind == DbKind::Memory) {
    log.notice("store: memory: nothing is kept over a restart");
    return std::unique_ptr<StoreAdapter>(std::make_unique<MemoryStore>());
  }
  if (url->kind == DbKind::Mysql) {
    MysqlOptions o;
    o.url = std::move(*url);
    o.table = s.db_table;
    o.socket = s.socket;
    o.tls = s.tls;
    o.tls_verify = s.tls_verify;
    o.tls_ca = s.tls_ca;
    o.clear_password = s.clear_password;
    o.timeout_ms = s.timeout_ms;
    o.wait_at_start = s.wait_at_start;
    auto store = MysqlStore::open(o, std::move(loop), log);
    if (!store) return store.error();
    return std::unique_ptr<StoreAdapter>(std::move(*store));
  }
  SqliteOptions o;
  o.path = url->path;
  o.table = s.db_table;
  o.synchronous_full = s.synchronous_full;
  o.cache_mb = s.cache_mb;
  o.journal.lines = s.journal_lines;
  auto store = SqliteStore::open(o, log, std::move(loop));
  if (!store) return store.error();
  return std::unique_ptr<StoreAdapter>(std::move(*store));
}

}  // namespace pua
