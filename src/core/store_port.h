// Store port: how the engine tells the store that a record's row is out of date, and how the store answers.
//
// engine --mark--> store --row_of--> engine          (the store snapshots the row when it writes it)
// store  --on_stored / on_page--> engine             (from the store's own loop turn, never inside mark)
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace pua {

enum class Lane : uint8_t { Bulk, Fast };  // Fast: a caller waits for the commit

constexpr int64_t kMaxRowId = 1000000000000000;   // counting never gets there: a row with a larger id is damaged
constexpr int64_t kMaxCountedId = kMaxRowId / 2;  // new ids follow the largest one in the table, if that is no larger than this
constexpr uint32_t kMaxRowVersion = 0x80000000u;  // counting never gets there: a row with this version, or more, is damaged

// One row of table `pua`. Views stay valid as long as the call that shows them. Times: EpochS; 0 = none / for ever.
struct Row {
  int64_t id = 0;            // primary key, given by the engine; never used twice, so that a late delete finds no other row
  int32_t flag = 0;          // source bit
  int32_t event = 0;         // event bit
  std::string_view pres_uri, pres_id, watcher_uri, to_uri;   // with flag and event: the unique key
  int64_t expires = 0;          // end of the server's grant, seconds (0: nothing granted)
  int64_t desired_expires = 0;  // wanted end, seconds (0: for ever)
  std::string_view etag, tuple_id, call_id, to_tag, from_tag;
  uint32_t cseq = 0;
  std::string_view record_route, contact, remote_contact;
  uint32_t version = 0;      // document version (dialog-info and the like)
  std::string_view extra_headers, sharing_tag;
  std::string_view body, content_type, outbound_proxy;
  std::string_view event_id;    // subscriptions: id parameter of Event
  std::string_view target;      // subscriptions: Request-URI of an initial request, empty: pres_uri
  uint32_t record_version = 0;  // grows with each change of the record
  int64_t owner_epoch = 0;
  int32_t node = 0;
  int64_t updated_at = 0;
  int32_t intent = 0;           // the request that may be out, an Op of core/publication.h or core/subscription.h; 0 = none
  int32_t intent_expires = 0;   // its Expires
};

// What the store keeps with each record: an Entity (core/entity.h) derives from it. The comment of each field says who writes
// it.
struct StoreHook {
  // The store's queue in which the record stands. Batch: its row is being written. Aside: the database refuses its row by
  // itself, and the write is tried again slowly.
  enum class Queue : uint8_t { None, Bulk, Fast, Batch, Aside };
  StoreHook* prev = nullptr;
  StoreHook* next = nullptr;
  MonoMs dirty_since = 0;        // when it was first marked since the last write (engine: since when it waits for its row)
  uint32_t version = 0;          // engine: one more with each change that the row is to hold
  uint32_t written_version = 0;  // store: version of the row that was last committed
  Queue queue = Queue::None;
  bool remark = false;           // store: marked again while its batch was being written,
  bool remark_fast = false;      // ... and in the fast lane
  // The next write must carry the whole row. The engine sets it when something has changed that a narrow write does not carry
  // (RowOp), the store when it does not know of any whole row of this record that was committed.
  bool whole = true;
  uint8_t failures = 0;          // store: how often the database has refused its row by itself
  bool stray = false;            // store: no record of the engine's, but made by the store to delete a row (StorePort::erase)
};

struct StorePort {
  virtual ~StorePort() = default;
  // The row is older than the record: write it. Never calls back inside this call. Marking twice is cheap.
  virtual void mark(StoreHook&, Lane, MonoMs now) = 0;
  // How many records wait for their row to be written. Cheap.
  virtual size_t backlog() const = 0;
  // Asks for the next page of rows with id > after. Answered by on_page.
  virtual void load(int64_t after, uint32_t limit) = 0;
  // Asks for the row of this key (its six columns count) ahead of its page, while the table is being loaded. Answered by
  // on_found. Where the store cannot read now there is no answer, and the row comes with its page.
  virtual void find(const Row& key) = 0;
  // The largest id that something in the database names although there is no row of it (SQLite's journal of narrow writes); 0:
  // none. New rows get larger ids, because what is left of a removed row would count as part of a new row with its id. The
  // engine asks when a page or a row has come.
  virtual int64_t top_id() const { return 0; }
  // Deletes a row that no record stands for, when there is time, unless the row in the table is newer (of the argument id,
  // owner_epoch, record_version and node count). There is no answer.
  virtual void erase(const Row&, MonoMs now) = 0;
  // How many such deletions still wait.
  virtual size_t erasing() const = 0;
  // false: everything is lost with the process, so that no outcome is ever durable.
  virtual bool durable() const = 0;
};

// Narrow: write only the columns that change with each refresh (PUA_NARROW_COLUMNS in store/columns.h), because the row is
// there. All columns are filled in all the same, so that a store may write the whole row instead.
enum class RowOp : uint8_t { Upsert, Narrow, Delete };

// Implemented by the engine. Called from the store's own turn.
struct StoreSink {
  virtual ~StoreSink() = default;
  // What to write for this record now. The views point into the record and are valid until the next call into the engine.
  // Narrow: nothing else has changed since a whole row was committed (StoreHook::whole).
  // Delete: only id, and the columns that say which row is newer (owner_epoch, record_version, node), count; a row in the
  // database that is newer by these stays.
  virtual RowOp row_of(const StoreHook&, Row& out) = 0;
  // The row was committed with that version (ok), or this attempt failed and will be repeated (not ok). The call may free the
  // record (when the row of an ended record was deleted): do not touch the hook afterwards. If the record was marked again
  // meanwhile, the store has queued it again before this call.
  virtual void on_stored(StoreHook&, uint32_t version, bool ok, MonoMs now) = 0;
  // One page of rows that load() asked for. There may be fewer rows than asked for: `last` alone says that no more follow. If
  // error is not empty, the page could not be read; the store tries it again after longer and longer pauses.
  virtual void on_page(std::span<const Row> rows, bool last, std::string_view error, MonoMs now) = 0;
  // The row of `key`, nullptr: there is none. top: the largest id in the table, up to kMaxRowId; 0: no row.
  virtual void on_found(const Row& key, const Row* row, int64_t top, MonoMs now) = 0;
  // The table was away and is there again, or another one stands in its place (made anew, or an older copy): rows that were
  // written may be missing, and rows that were deleted may be back.
  virtual void on_rows_lost(MonoMs now) = 0;
};

}  // namespace pua
