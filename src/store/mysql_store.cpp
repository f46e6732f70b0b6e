#include "store/mysql_store.h"

#include <event2/event.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "store/columns.h"
#include "store/mono.h"

namespace pua {

namespace {

// Octets of one statement. Server and disk are shared, so a large statement of the Bulk lane delays rows that a caller waits
// for: while there are such rows, its statements are small. Else they are large, for each costs a commit.
constexpr size_t kStatementBytes = 64 * 1024;
constexpr size_t kSmallStatementBytes = 8 * 1024;
constexpr size_t kLargeStatementBytes = 256 * 1024;
constexpr MonoMs kFastActive = 100;  // since the last batch of the Fast lane
// A page holds about so many octets at most, whatever documents are in its rows. The first page is small, to find out how large
// rows are.
constexpr size_t kPageBytes = 1024 * 1024;
constexpr uint32_t kFirstPageRows = 64;
// A row is refused before it is sent beyond this; a server takes 16 MB at least, as shipped.
constexpr size_t kMaxRowBytes = 8 * 1024 * 1024;
constexpr unsigned kUnknownDatabase = 1049;
constexpr MonoMs kMetaRetryMs = 1000;
constexpr int kLastTurns = 4;
constexpr MonoMs kLastMetaMs = 200;  // what the end of a store may take to write them

std::string host_name() {
  char buf[65] = "";
  if (gethostname(buf, sizeof buf - 1) != 0) return "localhost";
  return std::string(buf).substr(0, 40);
}

// The views point into the result.
void read_row(MYSQL_ROW row, const unsigned long* length, Row& r) {
  int at = 0;
  auto take_number = [&](ColumnKind, auto& v) { v = fitting<std::remove_reference_t<decltype(v)>>(row_number(row[at++])); };
  auto take_text = [&](ColumnKind, std::string_view& v) {
    if (row[at] && length[at] > 0) v = std::string_view(row[at], length[at]);
    at++;
  };
  for_each_column(r, take_number, take_text);
}

constexpr size_t kSmallColumns = 512;  // what the other columns of a row take, more or less

size_t octets(const Row& r) {
  return r.body.size() + r.extra_headers.size() + r.record_route.size();  // the others have small bounds
}

}  // namespace

MysqlStore::MysqlStore(const MysqlOptions& o, StoreLoop loop, Log& log)
    : home_(std::move(loop)),
      log_(log),
      node_(host_name()),
      fast_(servers_, home_, log, MysqlConn::Use::Write, &servers_.counts[0]),
      bulk_(servers_, home_, log, MysqlConn::Use::Write, &servers_.counts[1]),
      read_(servers_, home_, log, MysqlConn::Use::Read),
      find_(servers_, home_, log, MysqlConn::Use::Read),
      fast_write_(o.table, own("writer")),
      bulk_write_(o.table, own("writer")),
      page_rows_(kFirstPageRows) {
  servers_.user = o.url.user;
  servers_.password = o.url.password;
  servers_.database = o.url.database;
  servers_.table = o.table;
  servers_.socket = o.socket;
  servers_.tls = o.tls;
  servers_.tls_verify = o.tls_verify;
  servers_.tls_ca = o.tls_ca;
  servers_.clear_password = o.clear_password;
  servers_.timeout_ms = o.timeout_ms;
  servers_.version = kSchemaVersion;
  servers_.writer_name = own("writer");
  servers_.counts[0].name = own("fast");
  servers_.counts[1].name = own("bulk");
  servers_.on_copy = [this] { found_copy(); };
  name_ = "mysql://" + o.url.user + "@";
  for (const DbHost& h : o.url.hosts) {
    servers_.list.push_back({.host = h, .address = {}, .fences = {}});
    name_ += (servers_.list.size() > 1 ? "," : "") + servers_.label(servers_.list.size() - 1);
  }
  name_ += "/" + o.url.database;
  fast_write_.lane = Lane::Fast;
}

Result<std::unique_ptr<MysqlStore>> MysqlStore::open(const MysqlOptions& o, StoreLoop loop, Log& log) {
  std::unique_ptr<MysqlStore> s(new MysqlStore(o, std::move(loop), log));
  Status there = s->check_table();
  if (there.ok()) {
    log.notice("store: %s", s->name_.c_str());
    return s;
  }
  if (!o.wait_at_start) return there.error();
  log.error("store: %s; it is waited for, and nothing is known of earlier records until then", there.error().message.c_str());
  s->waiting_ = true;
  return s;
}

MysqlStore::~MysqlStore() {
  if (metas_.empty() || fast_.busy() || metas_out_) return;
  bool sent = false;
  auto send = [&] {
    send_metas(fast_);
    sent = true;
  };
  pump_until(kLastMetaMs, send, [&] { return sent && !metas_out_; });
}

// --- at the start, and at the end: without the loop ----------------------------------------------

// Moves the connections to a base of its own, calls start(), and turns that base until done() says true or the time is over;
// true: done. (start() runs after the move, because a name lookup that is under way does not survive a move.)
template <class S, class F>
bool MysqlStore::pump_until(MonoMs ms, S start, F done) {
  if (done()) return true;
  event_base* base = event_base_new();
  if (!base) return false;
  auto move = [this](event_base* to) {
    for (MysqlConn* c : connections()) c->before_move();
    home_.move(to);
    for (MysqlConn* c : connections()) c->after_move();
  };
  move(base);
  start();
  MonoMs until = steady_ms() + ms;
  for (MonoMs left = ms; left > 0 && !done(); left = until - steady_ms()) {
    timeval tv{static_cast<time_t>(left / 1000), static_cast<suseconds_t>(left % 1000 * 1000)};
    event_base_loopexit(base, &tv);
    event_base_loop(base, EVLOOP_ONCE);
  }
  move(nullptr);
  for (int i = 0; i < kLastTurns; i++) event_base_loop(base, EVLOOP_NONBLOCK);  // name lookups that were given up end here
  event_base_free(base);
  return done();
}

void MysqlStore::pump(MonoMs ms) {
  pump_until(ms, [] {}, [this] { return !fast_.busy() && !bulk_.busy() && !read_.busy() && !find_.busy(); });
}

Status MysqlStore::check_table() {
  bool answered = false;
  std::string error;
  auto ask = [&] {
    read_.run("SELECT `id` FROM `" + servers_.table + "` LIMIT 1", [&](const DbReply& r) {
      answered = true;
      error = r.error;
    });
  };
  // Each server may take that long to be resolved, to connect, and for a few statements.
  MonoMs longest = static_cast<MonoMs>(servers_.list.size()) * (2 * MysqlConn::kConnectMs + 2 * servers_.timeout_ms) + 1000;
  pump_until(longest, ask, [&answered] { return answered; });
  if (!answered) {
    read_.cancel();
    error = "no answer";
  }
  if (error.empty()) return success();
  return {Errc::store_failed, name_ + ": " + error};
}

Result<std::string> MysqlStore::get_meta(std::string_view name) {
  if (read_.busy() || waiting_) return std::string();
  if (auto it = metas_.find(own(name)); it != metas_.end()) return it->second;
  bool answered = false;
  std::string value, error;
  std::string sql = "SELECT `value` FROM `" + servers_.table + "_meta` WHERE `name`=";
  append_quoted(sql, own(name));
  auto ask = [&] {
    read_.run(sql, [&](const DbReply& r) {
      answered = true;
      error = r.error;
      MYSQL_ROW row = next_row(r.result, 1);
      if (row && row[0]) value.assign(row[0], mysql_fetch_lengths(r.result)[0]);
    });
  };
  pump_until(servers_.timeout_ms + 1000, ask, [&answered] { return answered; });
  if (!answered) {
    read_.cancel();
    error = "no answer";
  }
  if (!error.empty()) return {Errc::store_failed, name_ + ": " + error};
  return value;
}

// --- values beside the rows ----------------------------------------------------------------------

std::string MysqlStore::own(std::string_view meta) const { return std::string(meta).substr(0, 20) + "@" + node_; }

Status MysqlStore::set_meta(std::string_view name, std::string_view value) {
  metas_[own(name)] = value;
  all_metas_[own(name)] = value;
  meta_due_ = 0;
  return success();
}

void MysqlStore::run(MonoMs now) {
  if (copy_untold_ && sink_) found_copy();
  if (now >= watch_at_) watch();
  if (now < meta_due_) return;
  if (fast_.busy() || metas_out_) {  // the next batch takes them along
    meta_due_ = now + kMetaRetryMs;
    return;
  }
  send_metas(fast_);
}

// These values are written before any row: after a restart, rows must not be read by another clock than the one that they were
// written by. Batches of either lane wait until the values are there, and fail if they cannot be written.
void MysqlStore::send_metas(MysqlConn& c) {
  meta_due_ = kNever;
  metas_out_ = true;
  std::string sql = "REPLACE INTO `" + servers_.table + "_meta` (`name`,`value`) VALUES ";
  for (auto it = metas_.begin(); it != metas_.end(); ++it) {
    sql += it == metas_.begin() ? "(" : ",(";
    append_quoted(sql, it->first);
    sql += ',';
    append_quoted(sql, it->second);
    sql += ')';
  }
  auto sent = std::move(metas_);
  metas_.clear();
  c.run(std::move(sql), [this, sent = std::move(sent)](const DbReply& r) mutable {
    metas_out_ = false;
    if (r.code != 0) {
      for (auto& [name, value] : sent) metas_.try_emplace(name, std::move(value));
      meta_due_ = home_.now() + kMetaRetryMs;
    }
    for (Writing* w : std::exchange(held_, {})) {
      if (r.code == 0) send_upserts(*w);
      else give_up(*w, r);
    }
  });
}

// --- writing -------------------------------------------------------------------------------------

void MysqlStore::write(Lane lane, RowSource& rows, MonoMs) {
  Writing& w = lane == Lane::Fast ? fast_write_ : bulk_write_;
  w.began_us = steady_us();
  watch_at_ = std::min(watch_at_, home_.now() + kWatchMs);
  w.error.clear();
  w.down = w.table_lost = false;
  if (next_.state != Page::State::None && !page_wanted_) forget_page();  // it may hold one of these rows as it was
  if (lane == Lane::Fast) fast_at_ = home_.now();
  w.bytes = lane == Lane::Fast ? kStatementBytes : fast_active() ? kSmallStatementBytes : kLargeStatementBytes;
  take_rows(w, rows);
  if (metas_.empty() && !metas_out_) return send_upserts(w);
  held_.push_back(&w);
  if (!metas_out_) send_metas(conn(lane));
}

// Upserts, narrow writes and deletes go into statements of their own. That changes their order, which matters within one id
// only: a row that comes up twice is left for the next batch.
void MysqlStore::take_rows(Writing& w, RowSource& rows) {
  w.results.assign(rows.size(), WriteResult::Deferred);
  w.upserts.clear();
  w.narrows.clear();
  w.removes.clear();
  std::unordered_set<int64_t> ids;
  for (size_t i = 0; i < rows.size(); i++) {
    Row r;
    RowOp op = rows.row(i, r);
    size_t taken = w.taken(), more = op == RowOp::Upsert ? octets(r) : 0;
    if (!ids.insert(r.id).second || (taken > 0 && taken + more > w.bytes)) return;
    witnesses_.touch(r.id);
    Writing::Item item{i, r.id, r.owner_epoch, r.record_version, r.node};
    if (op == RowOp::Delete) {
      w.remove.add(r);
      w.removes.push_back(item);
      continue;
    }
    const Column* wide = too_long(r);
    if (wide || octets(r) > kMaxRowBytes) {
      w.results[i] = WriteResult::BadRow;
      if (w.error.empty())
        w.error = wide ? std::string(wide->name) + " is longer than " + std::to_string(wide->width) + " octets"
                       : "the row is too large";
      continue;
    }
    if (op == RowOp::Narrow) w.narrow.add(r);
    else w.upsert.add(r);
    (op == RowOp::Narrow ? w.narrows : w.upserts).push_back(item);
  }
}

void MysqlStore::send_upserts(Writing& w) {
  if (w.upsert.empty()) return send_narrows(w);
  auto written = [this, &w](const DbReply& r) {
    if (r.code != 0) failed(w, w.upserts, r);
    for (const Writing::Item& item : w.upserts) {
      if (r.code != 0) break;
      MYSQL_ROW row = next_row(r.result, 4);
      bool ours = row && row_number(row[0]) == item.id && row_number(row[1]) == item.epoch &&
                  row_number(row[2]) == item.version && row_number(row[3]) == item.node;
      w.results[item.index] = ours ? WriteResult::Ok : WriteResult::RefusedNewer;
      if (ours) bear_witness(item, true);
    }
    send_narrows(w);
  };
  conn(w.lane).run(w.upsert.take(), written, MysqlConn::Kind::Counted);
}

void MysqlStore::send_narrows(Writing& w) {
  if (w.narrow.empty() || w.down) {
    w.narrow.take();
    for (const Writing::Item& item : w.narrows) w.results[item.index] = WriteResult::FailedRetry;
    return send_removes(w);
  }
  auto written = [this, &w](const DbReply& r) {
    if (r.code != 0) {
      failed(w, w.narrows, r);
      return send_removes(w);
    }
    if (r.changed < w.narrows.size()) return read_back(w);
    for (const Writing::Item& item : w.narrows) {
      w.results[item.index] = WriteResult::Ok;
      bear_witness(item, true);
    }
    send_removes(w);
  };
  conn(w.lane).run(w.narrow.take(), written, MysqlConn::Kind::Counted);
}

// Some rows were not changed: they are not there, or newer, or as they should be.
void MysqlStore::read_back(Writing& w) {
  std::vector<int64_t> ids;
  for (const Writing::Item& item : w.narrows) ids.push_back(item.id);
  conn(w.lane).run(versions_sql(servers_.table, ids), [this, &w](const DbReply& r) {
    if (r.code != 0) {
      failed(w, w.narrows, r);
      return send_removes(w);
    }
    std::unordered_map<int64_t, std::tuple<int64_t, uint32_t, int32_t>> there;
    while (MYSQL_ROW row = next_row(r.result, 4))
      there[row_number(row[0])] = {row_number(row[1]), fitting<uint32_t>(row_number(row[2])),
                                   fitting<int32_t>(row_number(row[3]))};
    for (const Writing::Item& item : w.narrows) {
      auto at = there.find(item.id);
      bool ours = at != there.end() && at->second == std::tuple(item.epoch, item.version, item.node);
      if (ours) bear_witness(item, true);
      w.results[item.index] = ours ? WriteResult::Ok : at == there.end() ? WriteResult::WantsWhole : WriteResult::RefusedNewer;
    }
    send_removes(w);
  });
}

void MysqlStore::send_removes(Writing& w) {
  if (w.remove.empty() || w.down) {
    w.remove.take();
    for (const Writing::Item& item : w.removes) w.results[item.index] = WriteResult::FailedRetry;
    return report(w);
  }
  auto written = [this, &w](const DbReply& r) {
    if (r.code != 0) {
      failed(w, w.removes, r);
      return report(w);
    }
    std::unordered_set<int64_t> gone;
    while (MYSQL_ROW row = next_row(r.result, 1)) gone.insert(row_number(row[0]));
    std::vector<Writing::Item> missing;
    for (const Writing::Item& item : w.removes) {
      w.results[item.index] = WriteResult::Ok;
      if (!gone.contains(item.id)) missing.push_back(item);
      else bear_witness(item, false);
    }
    look_for(w, std::move(missing));
  };
  conn(w.lane).run(w.remove.take(), written, MysqlConn::Kind::Counted);
}

// Rows that a delete did not meet: not there, which is as good, or newer.
void MysqlStore::look_for(Writing& w, std::vector<Writing::Item> missing) {
  if (missing.empty()) return report(w);
  std::vector<int64_t> ids;
  for (const Writing::Item& item : missing) ids.push_back(item.id);
  conn(w.lane).run(exists_sql(servers_.table, ids), [this, &w, missing = std::move(missing)](const DbReply& r) {
    if (r.code != 0) failed(w, missing, r);
    std::unordered_set<int64_t> there;
    while (MYSQL_ROW row = next_row(r.result, 1)) there.insert(row_number(row[0]));
    for (const Writing::Item& item : missing) {
      if (there.contains(item.id)) w.results[item.index] = WriteResult::RefusedNewer;
    }
    report(w);
  });
}

void MysqlStore::bear_witness(const Writing::Item& item, bool there) {
  witnesses_.know({item.id, {item.epoch, item.version, item.node}, there});
}

void MysqlStore::failed(Writing& w, const std::vector<Writing::Item>& items, const DbReply& r) {
  for (const Writing::Item& item : items) w.results[item.index] = WriteResult::FailedRetry;
  w.error = r.error;
  w.table_lost = r.fault == DbFault::TableLost || r.code == kUnknownDatabase;
  if (w.table_lost) witnesses_.clear();
  // A row that somebody else has locked is that row's trouble: the queue finds it, and the others go on.
  w.down = r.fault != DbFault::Row && r.fault != DbFault::Collision;
}

// Ends a batch of which nothing was sent.
void MysqlStore::give_up(Writing& w, const DbReply& r) {
  w.upsert.take();
  w.narrow.take();
  w.remove.take();
  failed(w, w.upserts, r);
  failed(w, w.narrows, r);
  failed(w, w.removes, r);
  w.down = true;
  report(w);
}

bool MysqlStore::fast_active() const { return fast_.busy() || home_.now() - fast_at_ < kFastActive; }

void MysqlStore::report(Writing& w) {
  WriteReport out;
  out.lane = w.lane;
  out.results = w.results;
  out.down = w.down;
  out.rows_lost = w.table_lost;
  out.error = w.error;
  out.took_us = steady_us() - w.began_us;
  if (sink_) sink_->on_written(out, home_.now());
}

// --- reading -------------------------------------------------------------------------------------

// The next page is fetched while the engine works on this one: server and library work side by side.
void MysqlStore::load(int64_t after, uint32_t limit, MonoMs) {
  watch_at_ = std::min(watch_at_, home_.now() + kWatchMs);
  page_wanted_ = true;
  most_rows_ = limit;
  if (next_.after == after && next_.state == Page::State::There) return give_page();
  if (next_.after == after && next_.state == Page::State::Fetching) return;
  if (read_.busy()) {  // with another page: fetched again when that has come
    next_.state = Page::State::Stale;
    next_.after = after;
    return;
  }
  fetch(after);
}

void MysqlStore::fetch(int64_t after) {
  next_.state = Page::State::Fetching;
  next_.after = after;
  next_.limit = std::min(page_rows_, most_rows_);
  next_.rows.reset();
  read_.run(load_sql(servers_.table, after, next_.limit), [this](const DbReply& r) { on_fetched(r); }, MysqlConn::Kind::Rows);
}

void MysqlStore::forget_page() {
  next_.rows.reset();
  next_.state = next_.state == Page::State::There ? Page::State::None : Page::State::Stale;
}

void MysqlStore::on_fetched(const DbReply& r) {
  if (next_.state == Page::State::Stale) {
    next_.state = Page::State::None;
    if (page_wanted_) fetch(next_.after);
    return;
  }
  if (r.too_long && next_.limit > 1) {   // large rows behind small ones: a single one finds room
    page_rows_ = 1;
    return fetch(next_.after);
  }
  next_.state = Page::State::There;
  next_.rows.reset(r.take());
  next_.error = r.error;
  if (page_wanted_) give_page();
}

void MysqlStore::give_page() {
  page_wanted_ = false;
  auto rows = std::move(next_.rows);  // the views of page_ point into them
  std::string error = std::exchange(next_.error, {});
  if (rows && mysql_num_fields(rows.get()) < kColumnCount) error = name_ + ": an answer has other columns than were asked for";
  uint32_t limit = next_.limit;
  next_.state = Page::State::None;
  size_t bytes = read_page(rows.get());
  bool last = error.empty() && page_.size() < limit;
  if (!error.empty()) page_rows_ = std::max(1u, limit / 2);  // it may have been too large for its time
  else if (bytes > kPageBytes) page_rows_ = std::max<uint32_t>(1, static_cast<uint32_t>(limit * kPageBytes / bytes));
  else if (bytes < kPageBytes / 2) page_rows_ = std::min(limit * 2, most_rows_);
  if (error.empty() && !last && !read_.busy()) fetch(page_.back().id);
  if (sink_) sink_->on_rows(page_, last, error, home_.now());
}

void MysqlStore::find(const Row& key, MonoMs) {
  find_.run(find_sql(servers_.table, key), [this](const DbReply& r) {
    MYSQL_ROW row = next_row(r.result, 1 + kColumnCount);
    Row found;
    bool there = row && row[1];
    if (there) read_row(row + 1, mysql_fetch_lengths(r.result) + 1, found);
    std::string error = !row && r.error.empty() ? "no answer" : r.error;
    if (sink_) sink_->on_found(there ? &found : nullptr, row ? row_number(row[0]) : 0, error, home_.now());
  }, MysqlConn::Kind::Rows);
}

// How many octets it has, more or less.
size_t MysqlStore::read_page(MYSQL_RES* rows) {
  page_.clear();
  size_t bytes = 0;
  while (MYSQL_ROW row = next_row(rows, kColumnCount)) {
    read_row(row, mysql_fetch_lengths(rows), page_.emplace_back());
    bytes += octets(page_.back()) + kSmallColumns;
  }
  return bytes;
}

}  // namespace pua
