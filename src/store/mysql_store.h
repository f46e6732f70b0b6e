// MysqlStore: MariaDB behind the write-behind queue. Connections: one for rows that a caller waits for, one for the rest, one
// for reading, and one, made when it is needed, for rows that are wanted out of turn. A batch is at most one upsert, one
// update of narrow columns and one delete, each a transaction of its own.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "store/adapter.h"
#include "store/mysql_conn.h"
#include "store/mysql_sql.h"
#include "store/mysql_witness.h"

namespace pua {

struct MysqlOptions {
  DbUrl url;
  std::string table = "pua";    // checked by check_table_name
  std::string socket;           // of "localhost" without a port; empty: where the client library looks
  bool tls = false, tls_verify = false;
  std::string tls_ca;           // file; needed to verify
  bool clear_password = false;  // a server may ask for the password as it is; needs tls
  MonoMs timeout_ms = 5000;
  bool wait_at_start = false;   // open also where no server answers: the rows are loaded when one does
};

class MysqlStore : public StoreAdapter {
 public:
  // Blocks until a server has answered, or none will. Errors: store_failed. The log outlives the store.
  static Result<std::unique_ptr<MysqlStore>> open(const MysqlOptions&, StoreLoop, Log&);
  ~MysqlStore() override;

  BatchLimits limits() const override { return {kFastRows, kBulkRows}; }
  bool immediate() const override { return false; }
  void write(Lane lane, RowSource& rows, MonoMs now) override;
  void load(int64_t after, uint32_t limit, MonoMs now) override;
  void find(const Row& key, MonoMs now) override;
  // Names are this node's: another node with the same table has values of its own. get_meta blocks: for start only. Where no
  // server was there at start (wait_at_start), nothing is known of earlier values: empty.
  Result<std::string> get_meta(std::string_view name) override;
  Status set_meta(std::string_view name, std::string_view value) override;
  MonoMs next_due() const override { return std::min(meta_due_, watch_at_); }
  void run(MonoMs now) override;
  void pump(MonoMs ms) override;
  std::string name() const override { return name_; }

 private:
  static constexpr uint32_t kFastRows = 64;
  static constexpr uint32_t kBulkRows = 512;
  static constexpr MonoMs kWatchMs = 1000, kWatchMostMs = 32000;  // the second where the server cannot be asked

  // A batch under way.
  struct Writing {
    struct Item {
      size_t index;             // in the batch
      int64_t id, epoch;
      uint32_t version;
      int32_t node;
    };
    Writing(std::string_view table, std::string_view writer) : upsert(table, writer), narrow(table, writer), remove(table) {}
    size_t taken() const { return upsert.size() + narrow.size() + remove.size(); }
    Lane lane = Lane::Bulk;
    UpsertSql upsert;
    NarrowSql narrow;
    DeleteSql remove;
    std::vector<Item> upserts, narrows, removes;
    std::vector<WriteResult> results;
    std::string error;
    bool down = false, table_lost = false;
    size_t bytes = 0;             // that the statements may have
    int64_t began_us = 0;
  };

  MysqlStore(const MysqlOptions&, StoreLoop, Log&);
  Status check_table();
  void take_rows(Writing&, RowSource&);
  void send_metas(MysqlConn&);
  void give_up(Writing&, const DbReply&);
  void send_upserts(Writing&);
  void send_narrows(Writing&);
  void read_back(Writing&);
  void send_removes(Writing&);
  void look_for(Writing&, std::vector<Writing::Item> missing);
  void failed(Writing&, const std::vector<Writing::Item>&, const DbReply&);
  void report(Writing&);
  bool fast_active() const;
  // reading
  void fetch(int64_t after);
  void on_fetched(const DbReply&);
  void give_page();
  size_t read_page(MYSQL_RES*);
  std::array<MysqlConn*, 4> connections() { return {&fast_, &bulk_, &read_, &find_}; }
  void forget_page();
  void watch();
  void watch_rows(const std::string& writer);
  void watched();
  void bear_witness(const Writing::Item&, bool there);
  void seen(const std::string& place, const std::string& made);
  void found_copy();
  MysqlConn& conn(Lane l) { return l == Lane::Fast ? fast_ : bulk_; }
  template <class S, class F>
  bool pump_until(MonoMs ms, S start, F done);
  std::string own(std::string_view meta) const;

  MysqlServers servers_;
  MysqlHome home_;
  Log& log_;
  std::string name_, node_;
  MysqlConn fast_, bulk_, read_, find_;
  Writing fast_write_, bulk_write_;
  MonoMs fast_at_ = -1000000;    // last batch of the Fast lane

  // The page that was asked for, or the one behind it, which is fetched while the engine works on this one.
  struct Page {
    enum class State : uint8_t { None, Fetching, Stale, There };  // Stale: being fetched, but rows were written meanwhile
    State state = State::None;
    int64_t after = 0;
    uint32_t limit = 0;
    std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)> rows{nullptr, &mysql_free_result};
    std::string error;
  } next_;
  bool page_wanted_ = false;     // load() waits for next_
  std::vector<Row> page_;
  uint32_t most_rows_ = 0, page_rows_;  // of a page: asked for; what its octets allow
  std::map<std::string, std::string, std::less<>> metas_;  // not written yet
  std::map<std::string, std::string, std::less<>> all_metas_;  // of this run, for tables that lose them
  bool metas_out_ = false;       // some are being written
  std::vector<Writing*> held_;   // batches that wait for that
  MonoMs meta_due_ = kNever;
  bool waiting_ = false;        // no server answered at the start

  // Once a second: are these still the tables that were written to?
  MonoMs watch_at_ = kNever;    // from the first page or batch on
  MonoMs watch_pause_ = 1000;
  std::string watched_place_, made_at_;  // the server, and when it says that the table was made
  RowWitnesses witnesses_;
  bool copy_untold_ = false;    // a copy was found before there was a sink to tell
};

}  // namespace pua
