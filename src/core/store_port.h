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

constexpr int64_t kMaxRowId = 1000000000000000;  // nobody counts so far: a row with a larger id is damaged
constexpr int64_t kMaxCountedId = kMaxRowId / 2;  // new ids follow the largest one up to here
constexpr uint32_t kMaxRowVersion = 0x80000000u;  // nor so far: a row that cannot be replaced by a newer one is damaged

// One row of table `pua`. Views stay valid as long as the call that shows them. Times: EpochS; 0 = none / for ever.
struct Row {
  int64_t id = 0;            // primary key, given by the engine, never reused: also a late delete of a former one hits nobody
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
  int32_t intent = 0;           // core/publication_record.h Op of the request that may be out, 0 = none
  int32_t intent_expires = 0;   // its Expires
};

// The part of a record that the store owns. A Record derives from it; nobody else touches it.
struct StoreHook {
  // Where the record stands. Batch: being written; Aside: its row was refused on its own and is retried slowly.
  enum class Queue : uint8_t { None, Bulk, Fast, Batch, Aside };
  StoreHook* prev = nullptr;
  StoreHook* next = nullptr;
  MonoMs dirty_since = 0;        // when it was first marked since the last write
  uint32_t version = 0;          // engine: bumped by each change worth storing
  uint32_t written_version = 0;  // store: version of the row that was last committed
  Queue queue = Queue::None;
  bool remark = false;           // store: marked again while its batch was under way
  bool remark_fast = false;
  // The next write carries the whole row: engine: something changed that a narrow write does not carry (RowOp); store: no whole
  // row of this record is known to be committed.
  bool whole = true;
  uint8_t failures = 0;          // store: how often its row was refused on its own
  bool stray = false;            // store: one of its own, for a row that no record stands for (StorePort::erase)
};

struct StorePort {
  virtual ~StorePort() = default;
  // The record's row no longer matches: write it. Never calls back from inside. Marking twice is cheap.
  virtual void mark(StoreHook&, Lane, MonoMs now) = 0;
  // Records whose row waits to be written. Cheap.
  virtual size_t backlog() const = 0;
  // Ask for the next page of rows with id > after. Answered by on_page.
  virtual void load(int64_t after, uint32_t limit) = 0;
  // Ask for the row of this key (its six columns count), out of turn while the table is being loaded. Answered by on_found,
  // unless the store cannot read now: then the row comes with its page.
  virtual void find(const Row& key) = 0;
  // The largest id that stands somewhere in the database without a row, 0: none. New rows get larger ones: what is left of a removed row
  // would count as theirs. Asked when a page or a row has come.
  virtual int64_t top_id() const { return 0; }
  // Deletes a row that no record stands for, when there is time, unless the one in the table is newer (id, owner_epoch,
  // record_version and node count). Nobody is told.
  virtual void erase(const Row&, MonoMs now) = 0;
  // How many of those still wait.
  virtual size_t erasing() const = 0;
  // false: what it takes goes with the process. Nothing is ever durable then.
  virtual bool durable() const = 0;
};

// Narrow: of a row that is there, what a record changes by itself: see PUA_NARROW_COLUMNS in store/columns.h. All of `out` is
// filled in, so that a store may write it as a whole.
enum class RowOp : uint8_t { Upsert, Narrow, Delete };

// Implemented by the engine. Called from the store's own turn.
struct StoreSink {
  virtual ~StoreSink() = default;
  // What to write for this record now. Views into the record: valid until the next call into the engine.
  // Narrow: nothing else has changed since a whole row was committed (StoreHook::whole).
  // Delete: only id and the three that order rows are looked at (owner_epoch, record_version, node); a row in the
  // database that is newer by these stays.
  virtual RowOp row_of(const StoreHook&, Row& out) = 0;
  // The row was committed with that version (ok), or this attempt failed and will be repeated (not ok).
  // May free the record (a deleted row of an ended record): do not touch the hook afterwards. If more was marked
  // while it was written, the store has queued the hook again before this call.
  virtual void on_stored(StoreHook&, uint32_t version, bool ok, MonoMs now) = 0;
  // One page of rows at start, perhaps fewer than asked for: `last` alone says that there are no more. error
  // non-empty: the load failed; the store tries the same page again, later and later.
  virtual void on_page(std::span<const Row> rows, bool last, std::string_view error, MonoMs now) = 0;
  // The row of `key`, nullptr: there is none. top: the largest id in the table, up to kMaxRowId; 0: no row.
  virtual void on_found(const Row& key, const Row* row, int64_t top, MonoMs now) = 0;
  // The table was away and is there again, or is another one than it was (made anew, an older copy): what was written before may
  // not be in it any more, and what was removed may be back.
  virtual void on_rows_lost(MonoMs now) = 0;
};

}  // namespace pua
