// Opens the database that the settings name.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "store/adapter.h"

namespace pua {

struct StoreSettings {
  std::string db_url;
  std::string db_table = "pua";
  bool synchronous_full = false;  // sqlite_synchronous: full (fsync at each commit) or normal
  uint32_t cache_mb = 64;         // sqlite_cache_mb
};

// Opens, creates the tables on first use, checks their version. Blocks: for start only. The log outlives the adapter.
// Errors: bad_config (db_url, db_table), store_failed (everything about the database; the message names the file).
Result<std::unique_ptr<StoreAdapter>> open_store(const StoreSettings&, Log&);

}  // namespace pua
