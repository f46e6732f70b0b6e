// Store adapter: what every database (memory, SQLite, MariaDB) does for the write-behind queue.
//
// Rows are compared by (owner_epoch, record_version, node): an older one never replaces or deletes a newer one, an equal
// one may be written again. The key columns of an id never change. Where a row with another id holds the same unique
// key, the one with the higher (owner_epoch, id) stays: ids are given in order, so it is the record made later.
//
// A narrow write (RowOp) changes some columns of the row with this id, by the same comparison. An adapter may find out only
// later that there is no such row, or that it is newer: it then calls on_rows_missing, or drops the older change. What it has
// reported as committed is in every row that it reads from then on, also after a crash.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "core/store_port.h"

namespace pua {

enum class WriteResult : uint8_t {
  Ok,            // committed
  RefusedNewer,  // the database holds a newer row
  FailedRetry,   // not written, and not known to be this row's fault
  BadRow,        // the database refused this row, whatever stands beside it
  WantsWhole,    // Narrow: no such row is in the database; it has to be written as a whole. No failure.
  Deferred,      // not tried: the turn's time or the statement's size was used up. No failure.
};

// How a batch ended. Views are valid during the call.
struct WriteReport {
  Lane lane = Lane::Bulk;
  std::span<const WriteResult> results;  // one a row, in the order of the batch
  bool down = false;                     // not about these rows: nothing can be written now (full, locked, gone ...)
  bool rows_lost = false;                // with down: the table is not there; what was in it may be lost
  std::string_view error;                // for people; names the file or server; empty: no failure
  int64_t took_us = 0;                   // wall clock from write to commit
};

// What the adapter reports to. Called inside write / load, or later from the adapter's own event.
struct AdapterSink {
  virtual ~AdapterSink() = default;
  virtual void on_written(const WriteReport&, MonoMs now) = 0;
  // error non-empty: nothing was read.
  virtual void on_rows(std::span<const Row> rows, bool last, std::string_view error, MonoMs now) = 0;
  // row: nullptr: none has this key. error non-empty: nothing was read.
  virtual void on_found(const Row* /*row*/, int64_t /*top*/, std::string_view /*error*/, MonoMs /*now*/) {}
  // The table is not the one that was written to, or rows of this run are not in it, and nobody here has deleted them: what was
  // committed may be gone, and what was removed may be back. Not inside write, load or find.
  virtual void on_rows_missing(MonoMs /*now*/) {}
  // In place of on_rows: the rows asked for are damaged, trying again will hardly help. Those before them were given.
  virtual void on_unreadable(std::string_view error, MonoMs now) { on_rows({}, false, error, now); }
};

// The rows of one batch. The adapter asks for each in order, inside write, and looks at it before it asks for the next.
// A row it never asks for is Deferred.
struct RowSource {
  virtual ~RowSource() = default;
  virtual size_t size() const = 0;
  virtual RowOp row(size_t i, Row& out) = 0;
};

struct BatchLimits {
  uint32_t fast_rows = 256;  // most rows that are worth offering in one batch
  uint32_t bulk_rows = 256;
};

class StoreAdapter {
 public:
  virtual ~StoreAdapter() = default;  // closes; reports nothing any more

  void attach(AdapterSink* sink) { sink_ = sink; }
  virtual BatchLimits limits() const { return {}; }
  // true: a write ends inside the call, and both lanes share one connection.
  virtual bool immediate() const = 0;
  // false: what is committed goes with the process.
  virtual bool durable() const { return true; }

  // Writes a batch and commits it. One batch a lane at a time. Ends in one on_written.
  virtual void write(Lane lane, RowSource& rows, MonoMs now) = 0;
  // Reads rows with id > after in the order of id, `limit` at most (fewer where they are large). One at a time.
  // Ends in one on_rows or on_unreadable.
  virtual void load(int64_t after, uint32_t limit, MonoMs now) = 0;
  // Reads the row with this unique key, and the largest id up to kMaxCountedId. One at a time, beside a load. The views of
  // `key` are valid during the call. Ends in one on_found.
  virtual void find(const Row& key, MonoMs now) = 0;

  // false: run() has work to do before rows can be read (load, find).
  virtual bool readable() const { return true; }
  // See StorePort.
  virtual int64_t top_id() const { return 0; }
  // Narrow writes that are committed, and not in their rows yet.
  virtual size_t journal() const { return 0; }
  // Brings them into their rows now, without pauses. hurrying(): true until all are there, or until that turns out not to work.
  virtual void hurry() {}
  virtual bool hurrying() const { return false; }

  // A few small values beside the rows (clock state and the like). get_meta: empty if never set. set_meta: committed
  // before any row written later. Errors: store_failed.
  virtual Result<std::string> get_meta(std::string_view name) = 0;
  virtual Status set_meta(std::string_view name, std::string_view value) = 0;

  // Work of the adapter's own (checkpoint, reconnect): when, and do it. A turn of its own, bounded like a write.
  virtual MonoMs next_due() const { return kNever; }
  virtual void run(MonoMs /*now*/) {}

  // Where a write ends later: waits for those under way, without the loop, for so long at most. For the end of an
  // instance. Reports inside.
  virtual void pump(MonoMs /*ms*/) {}

  // For people, in messages: the file, or the server without its password.
  virtual std::string name() const = 0;

 protected:
  AdapterSink* sink_ = nullptr;
};

}  // namespace pua
