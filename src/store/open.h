// Opens the database that the settings name.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "store/adapter.h"
#include "store/store_loop.h"

namespace pua {

struct StoreSettings {
  std::string db_url;
  std::string db_table = "pua";
  bool synchronous_full = false;  // sqlite_synchronous: full (fsync at each commit) or normal
  uint32_t cache_mb = 64;         // sqlite_cache_mb
  uint32_t journal_lines = 262144; // sqlite_journal_lines
  bool wait_at_start = false;     // db_start: wait, or fail. The following are MariaDB's
  MonoMs timeout_ms = 5000;       // db_timeout
  std::string socket;             // db_socket
  bool tls = false, tls_verify = false;
  std::string tls_ca;             // db_tls_ca
  bool clear_password = false;    // db_clear_password
};

// What can be said of them without opening anything. Errors: bad_config (db_url, db_table, db_tls).
Status check_store(const StoreSettings&);

// Opens, checks the version of the tables; SQLite's are created on first use. Blocks: for start only. The log and what
// `loop` points to outlive the adapter.
// Errors: those of check_store, store_failed (everything about the database; the message names the file or server).
Result<std::unique_ptr<StoreAdapter>> open_store(const StoreSettings&, StoreLoop loop, Log&);

}  // namespace pua
