// MysqlStore: are these still the tables that were written to? (docs/adr/0018)
#include <algorithm>
#include <utility>

#include "store/columns.h"
#include "store/mysql_store.h"

namespace pua {

// What a write finds out by itself is told at once; this is for the time in which nothing is written, and for a table of rows
// that was put in the place of ours while the lines that count our writes were left alone.
void MysqlStore::watch() {
  watch_at_ = home_.now() + watch_pause_;
  if (read_.busy()) return;
  struct Known {
    std::string writer;   // empty: the connection finds out before it asks
    uint64_t numbers[2];
  } known{servers_.writer_stands ? servers_.writer : "", {servers_.counts[0].number, servers_.counts[1].number}};
  const MysqlCount* c = servers_.counts;
  read_.run(identity_sql(servers_.table, servers_.writer_name, c[0], c[1]), [this, known](const DbReply& r) {
    watch_pause_ = r.code == 0 ? kWatchMs : std::min(2 * watch_pause_, kWatchMostMs);
    watch_at_ = home_.now() + watch_pause_;
    MYSQL_ROW row = next_row(r.result, 4);
    if (row && servers_.writer_stands && servers_.writer == known.writer) {
      auto text = [&](int i) { return std::string(row[i] ? row[i] : ""); };
      bool ours = text(0) == known.writer;
      for (int i = 0; i < 2; i++) ours = ours && servers_.counts[i].holds(text(i + 1), known.numbers[i]);
      if (ours) seen(servers_.label(servers_.current) + " " + servers_.list[servers_.current].address, text(3));
      else servers_.found_copy();
    }
    watch_rows(known.writer);
  });
}

// Looks for rows of an older copy that were brought back alone, while the table stayed (mysql_witness.h).
void MysqlStore::watch_rows(const std::string& writer) {
  std::vector<int64_t> ids = witnesses_.ask();
  if (ids.empty() || !servers_.writer_stands || servers_.writer != writer) return watched();
  read_.run(versions_sql(servers_.table, ids), [this, writer](const DbReply& r) {
    std::vector<RowState> found;
    while (MYSQL_ROW row = next_row(r.result, 4)) {
      found.push_back({row_number(row[0]),
                       {row_number(row[1]), fitting<uint32_t>(row_number(row[2])), fitting<int32_t>(row_number(row[3]))}});
    }
    bool known = r.code == 0 && servers_.writer_stands && servers_.writer == writer;
    if (known && witnesses_.contradicted_by(found)) servers_.found_copy();
    watched();
  });
}

// The look is over: a page that was asked for meanwhile is fetched.
void MysqlStore::watched() {
  if (next_.state != Page::State::Stale || read_.busy()) return;
  next_.state = Page::State::None;
  if (page_wanted_) fetch(next_.after);
}

void MysqlStore::seen(const std::string& place, const std::string& made) {
  if (made.empty()) return;
  bool other = place == watched_place_ && made != made_at_ && !made_at_.empty();
  watched_place_ = place;
  made_at_ = made;
  if (other) servers_.found_copy();
}

// An older copy was brought back, or the tables were made anew: the rows are written again, and so are the values beside them.
void MysqlStore::found_copy() {
  witnesses_.clear();
  made_at_.clear();   // the next look takes over when these tables were made: it is no other accident
  copy_untold_ = !sink_;
  if (!sink_) return;
  log_.error("store: %s: table '%s' is not the one that was written to: an older copy of it, or made anew", name_.c_str(),
             servers_.table.c_str());
  for (const auto& [name, value] : all_metas_) metas_.try_emplace(name, value);
  if (!metas_.empty()) meta_due_ = 0;
  sink_->on_rows_missing(home_.now());
}

}  // namespace pua
