// The world of one seed: an engine, its store, a server, a network, a clock, owners who ask, and the checks.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "core/engine.h"
#include "esc.h"
#include "sim_store.h"
#include "stage.h"
#include "store/write_behind.h"
#include "watchers.h"

namespace sim {

struct Totals {
  uint64_t inputs = 0, seeds = 0;
  std::array<std::array<uint64_t, pua::kInputs>, pua::kStates> coverage{};
  std::array<std::array<uint64_t, pua::sub::kInputs>, pua::sub::kStates> subscriptions{};
};

class World : public pua::SipPort, public pua::BodiesPort, private Stage {
 public:
  World(uint64_t seed, bool trace);
  ~World() override;
  // Runs `inputs` random inputs, heals everything, and checks what is left. Returns what was wrong; empty: nothing.
  std::string run(int inputs, Totals& totals);

  pua::Status send(const pua::SipRequest&) override;
  const pua::EventInfo* by_flag(int32_t flag) const override { return watchers_.by_flag(flag); }
  const pua::EventInfo* by_name(std::string_view name) const override { return watchers_.by_name(name); }
  std::string_view allow_events() const override { return "presence, presence.winfo"; }
  bool accepts(int32_t event, std::string_view type) const override { return watchers_.accepts(event, type); }
  pua::Result<pua::DocumentState> inspect(int32_t, std::string_view content_type, std::string_view body) override {
    return watchers_.inspect(content_type, body);
  }
  pua::Result<pua::Unit> process(const pua::BodyRequest&, std::string&, bool& unchanged, std::string&) override {
    unchanged = true;
    return pua::Unit{};
  }

 private:
  static constexpr int kKeys = 6, kWatched = 100;
  enum class Want { Nothing, State, Unsure };   // Unsure: the model does not know, because of a kill or a reply
  struct Owner {                                // what the model knows of one presentity
    std::string uri;
    Want want = Want::Nothing;
    int body_seq = 0;                           // newest accepted body
    MonoMs wanted_end = pua::kNever;
    int last_seq = 0;                           // newest accepted request
    int removal_seq = 0;                        // newest accepted removal
    bool ended = false;                         // a reply, or its lifetime, has ended it since the last accepted request
    int ended_seq = 0;                          // newest request that was ended so
    int durable_seq = 0;                        // newest request that was reported durable,
    int durable_body = 0;                       // ... and the body that it published, 0: it was a removal
    MonoMs durable_end = pua::kNever;
    bool last_second = false;   // at the last kill less than a second of it was left: it counts as gone, but may still be found
  };
  struct Call {                                 // one accepted request
    int key = 0, seq = 0, body = 0;
    MonoMs end = pua::kNever;
    bool removal = false;
    int completed = 0;
  };
  struct Reply {
    MonoMs at;
    uint64_t order;
    pua::TxnId txn;
    int key;                                    // numbers from kWatched on are those of watchers
    uint64_t life;
    std::string server;
    Answer answer;
    bool operator>(const Reply& o) const { return std::tie(at, order) > std::tie(o.at, o.order); }
  };

  void boot();
  void kill();
  void random_input();
  void request(int key);
  void change_moods();
  void advance(MonoMs by);
  void advance_dead(MonoMs by);
  void one_event();
  MonoMs next_event() const;
  void completed(size_t call, const pua::Outcome&);
  void excuse_what_the_disk_does_not_know();
  std::vector<pua::StoredRow> rows();
  void ended(Owner& o) { o.ended = true, o.ended_seq = o.last_seq; }
  void check();
  void check_numbers();
  void check_restored();
  void check_healed();
  void check_remove_all();
  void request_all();
  void say_row(pua::Lane, pua::RowOp, const pua::Row&);   // writes a row to the trace as the store takes it
  int seq_of(std::string_view body) const;

  uint64_t life_ = 0, order_ = 0;
  Esc esc_{random_};
  SimDisk disk_;
  pua::Log log_;
  std::unique_ptr<SimStore> store_;
  std::unique_ptr<pua::WriteBehind> behind_;
  StoreMode store_mode_ = StoreMode::Ok;
  bool immediate_ = false, healing_ = false;
  std::vector<Owner> owners_;
  std::vector<Call> calls_;
  std::map<uint64_t, int> out_;                 // transaction -> key, as in Reply
  std::map<std::string, MonoMs> quiet_;         // servers that asked to be left alone, until then
  std::priority_queue<Reply, std::vector<Reply>, std::greater<>> replies_;
  int seq_ = 0;
  Watchers watchers_{*this};
  Totals* totals_ = nullptr;
};

}  // namespace sim
