// What must hold of publications and of everything: always, after a kill, and after everything was healed.
#include <cinttypes>

#include "tests/support/adapter_sides.h"
#include "world.h"

namespace sim {

using namespace pua;

std::vector<StoredRow> World::rows() {
  test::KeepingSink take;
  disk_.attach(&take);
  while (!take.last) disk_.load(take.rows.empty() ? 0 : take.rows.back().row().id, 1000, now_);
  return std::move(take.rows);
}

// After a kill: states whose entity-tag had not reached the disk are excused, as if their replies had not been processed.
void World::excuse_what_the_disk_does_not_know() {
  auto all = rows();
  for (auto& [tag, state] : esc_.states()) {
    bool known = false;
    for (auto& r : all) known |= r.row().etag == tag;
    if (!known) state.excused = true;
  }
}

void World::check() {
  esc_.expire(now_);
  if (!esc_.violations.empty()) fail(esc_.violations.front());
  if (!disk_.wrong.empty()) fail(disk_.wrong);
  for (Owner& o : owners_) {
    const PublicationRecord* r = engine_->find({64, 1, o.uri, {}});
    if (r && r->m->state == State::Queued && !static_cast<const QueueHook&>(*r).linked())
      fail(o.uri + " is queued, but stands in no queue");
  }
  watchers_.check_queued();
  if (engine_->loading()) return;
  for (auto& [tag, state] : esc_.states()) {
    if (!state.reply_processed || state.excused) continue;
    const PublicationRecord* r = engine_->find({64, 1, state.uri, {}});
    if (!r || r->etag() != tag) fail("state " + tag + " of " + state.uri + " is an orphan though its reply was processed");
  }
  check_numbers();
  watchers_.check(disk_);
}

// The counters that operators see must add up: each request that was sent has ended or is out, and each record is in one state.
void World::check_numbers() {
  Stats s = engine_->stats();
  if (s.in_flight > static_cast<int64_t>(settings_.max_in_flight)) fail("max_in_flight exceeded");
  int64_t sent = s.requests_initial + s.requests_refresh + s.requests_modify + s.requests_remove + s.subscribes_initial +
                 s.subscribes_refresh + s.subscribes_remove + s.subscribes_fetch;
  int64_t ended = 0, records = 0, timed = 0, replies = 0;
  for (const MethodMeasures& m : engine_->measures().methods) {
    for (int64_t n : m.finals) ended += n;
    for (Final f : {Final::C2xx, Final::C3xx, Final::C4xx, Final::C5xx, Final::C6xx}) replies += m.of(f);
    timed += static_cast<int64_t>(m.latency.count());
  }
  for (const StateCount& c : engine_->publications_by_state()) records += c.records;
  for (const StateCount& c : engine_->subscriptions_by_state()) records += c.records;
  if (sent != ended + s.in_flight)
    fail(std::to_string(sent) + " requests sent, " + std::to_string(ended) + " ended, " + std::to_string(s.in_flight) + " out");
  if (timed != replies) fail(std::to_string(replies) + " final replies, " + std::to_string(timed) + " of them timed");
  if (records != s.records + s.subscriptions) fail("the states do not add up to the records");
  if (static_cast<int64_t>(engine_->measures().waits.count()) != s.completed) fail("not every completion was timed");
}

// Compares the disk, after a kill, with what was reported durable.
void World::check_restored() {
  auto all = rows();
  watchers_.killed(all);
  for (Owner& o : owners_) {
    const Row* row = nullptr;
    for (auto& r : all)
      if (r.row().pres_uri == o.uri) row = &r.row();
    // Times in rows are rounded up, by up to one second.
    bool alive = row && (row->desired_expires == 0 || row->desired_expires * 1000 - kEpochOffset > now_ + 1000);
    int body = row ? seq_of(row->body) : 0;
    bool may_be_gone = o.removal_seq > o.durable_seq || o.ended || o.ended_seq >= o.durable_seq;
    for (Call& c : calls_)
      may_be_gone |= &owners_[static_cast<size_t>(c.key)] == &o && c.seq >= o.durable_seq && c.end <= now_ + 1000;
    if (o.durable_seq > 0 && o.durable_body > 0) {
      if (!alive && !may_be_gone) fail("lost: " + o.uri + " durable seq " + std::to_string(o.durable_seq));
      if (alive && body < o.durable_body) fail("lost: " + o.uri + " is back at body " + std::to_string(body));
    }
    bool prolonged = o.last_second && o.last_seq > o.durable_seq;
    if (o.durable_seq > 0 && o.durable_body == 0 && alive && body < o.durable_seq && !prolonged)
      fail("resurrected: " + o.uri + " body " + std::to_string(body) + " after removal " + std::to_string(o.durable_seq));
    o.last_second = row && !alive && row->desired_expires * 1000 - kEpochOffset > now_;
    o.want = alive ? Want::State : Want::Nothing;
    o.body_seq = body;
    o.wanted_end = !alive || row->desired_expires == 0 ? kNever : row->desired_expires * 1000 - kEpochOffset;
    o.ended = false;
    o.durable_body = body * alive;  // what is on the disk is durable, even if no owner was told so
    if (trace_)
      printf("           restored %s: %s body %d etag '%s' intent %d\n", o.uri.c_str(), alive ? "alive" : "nothing", body,
             row ? std::string(row->etag).c_str() : "", row ? row->intent : 0);
  }
}

void World::check_healed() {
  auto all = rows();
  size_t expected_rows = 0;
  for (Owner& o : owners_) {
    const PublicationRecord* r = engine_->find({64, 1, o.uri, {}});
    bool sure = o.want != Want::Unsure && !o.ended;
    bool wanted = sure ? o.want == Want::State && o.wanted_end > now_ : r != nullptr;
    if (sure && wanted && (!r || r->m->state != State::Live)) fail(o.uri + " is wanted and not live");
    if (sure && !wanted && r) fail(o.uri + " is not wanted, and there still is a record, in state " + state_name(r->m->state));
    int there = 0;
    for (auto& [tag, state] : esc_.states()) {
      if (state.uri != o.uri) continue;
      there++;
      if (!r || r->etag() != tag) fail(o.uri + ": the server holds " + tag + ", which is not ours");
      if (sure && !state.excused && seq_of(state.body) != o.body_seq)
        fail(o.uri + ": the server holds body " + state.body + ", wanted is b" + std::to_string(o.body_seq));
    }
    if (there != (r ? 1 : 0)) fail(o.uri + ": the server holds " + std::to_string(there) + " states");
    if (r) {
      expected_rows++;
      bool stored = false;
      for (auto& row : all) stored |= row.row().pres_uri == o.uri && row.row().etag == r->etag() && row.row().body == r->body();
      if (!stored) fail(o.uri + ": its row is not as the record is");
    }
  }
  size_t there = 0;
  for (auto& r : all) there += r.row().watcher_uri.empty();
  if (there != expected_rows)
    fail("rows left over: " + std::to_string(there) + " for " + std::to_string(expected_rows) + " records");
  for (Call& c : calls_)
    if (c.completed != 1) fail("request " + std::to_string(c.seq) + " completed " + std::to_string(c.completed) + " times");
  watchers_.check_healed(all);
}

void World::request_all() {
  for (int k = 0; k < kKeys; k++) request(k);
  for (int k = 0; k < Watchers::kKeys; k++) watchers_.request(k);
}

// Removes everything, after which neither the servers, nor memory, nor the disk may hold anything.
void World::check_remove_all() {
  say("remove all");
  if (random_.below(2)) request_all();
  advance(static_cast<MonoMs>(random_.below(60)));
  for (Owner& o : owners_) o.want = Want::Nothing;
  watchers_.want_nothing();
  engine_->remove_all();
  advance(60 * 1000);
  if (engine_->records() || !esc_.states().empty()) fail("publications are left though all were to be removed");
  watchers_.check_removed();
  if (!rows().empty()) fail("rows are left though all were to be removed");
}

std::string World::run(int inputs, Totals& totals) {
  totals_ = &totals;
  for (int i = 0; i < inputs && failure_.empty(); i++) {
    random_input();
    advance(0);
    check();
    totals.inputs++;
  }
  if (!failure_.empty()) return failure_;
  say("healing");
  healing_ = true;
  esc_.mood = Mood{};
  watchers_.heal();
  store_->mode = store_mode_ = StoreMode::Ok;
  advance(600 * 1000);
  watchers_.check_gaps();
  advance(2 * 3600 * 1000);
  watchers_.calm();
  advance(2 * 3600 * 1000);
  for (int i = 0; i < 10 && !(engine_->quiet() && behind_->clean()); i++) advance(500);  // a refresh may be under way
  watchers_.check_quiet();
  check();
  if (failure_.empty()) check_healed();
  if (failure_.empty() && random_.below(4) == 0) check_remove_all();
  if (failure_.empty()) {
    request_all();
    advance(static_cast<MonoMs>(random_.below(60)));
    request_all();
    if (random_.below(2))  // the SIP stack ends before the engine
      for (auto out = out_; auto& [txn, key] : out) {
        SipReply s;
        s.status = 487;
        s.origin = ReplyOrigin::Shutdown;
        engine_->on_reply(txn, s, now_);
      }
    engine_->shutdown();
    for (Call& c : calls_)
      if (c.completed != 1)
        fail("request " + std::to_string(c.seq) + " completed " + std::to_string(c.completed) + " times at shutdown");
    watchers_.check_completed(" at shutdown");
  }
  totals.seeds++;
  kill();
  return failure_;
}

}  // namespace sim
