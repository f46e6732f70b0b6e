#include "world.h"

#include <cstdarg>
#include <cstdio>

namespace sim {

using namespace pua;

// Whether a record has ended with this outcome.
static bool ends(int status, ReplyOrigin origin) {
  if (origin == ReplyOrigin::Local) return status / 100 == 4;
  return origin == ReplyOrigin::Wire && (status == 400 || status == 405 || status == 406 || status == 413 || status == 415 ||
                                         status == 420 || status == 489);
}

World::World(uint64_t seed, bool trace) : Stage(seed, trace) {
  immediate_ = random_.below(2) == 0;
  settings_.min_expires = random_.below(3) ? 60 : 0;
  settings_.default_expires = 1800;
  settings_.max_expires = 7200;
  settings_.max_in_flight = random_.below(2) ? 2000 : 2;
  settings_.hash_size = 1;
  settings_.load_page = 2;
  settings_.max_waiters = 8;
  auto print = [](LogLevel l, std::string_view s) {
    printf("      log %s: %.*s\n", log_level_name(l), static_cast<int>(s.size()), s.data());
  };
  if (trace_) log_ = Log(print, LogLevel::debug);
  for (int i = 0; i < kKeys; i++) {
    owners_.push_back({});
    owners_.back().uri = "sip:u" + std::to_string(i) + "@d" + std::to_string(i % 2) + ".example.com";
  }
  boot();
}

World::~World() { kill(); }

void Stage::say(const char* fmt, ...) {
  if (!trace_) return;
  va_list ap;
  va_start(ap, fmt);
  printf("%10.3f ", static_cast<double>(now_) / 1000);
  vprintf(fmt, ap);
  putchar('\n');
  va_end(ap);
}

void World::say_row(Lane lane, RowOp op, const Row& r) {
  static constexpr const char* ops[] = {"whole", "narrow", "delete"};
  auto text = [](std::string_view s) { return std::string(s); };
  say("row %lld %s %s v%u: %s%s%s call %s tags %s,%s cseq %u etag '%s' expires %lld wanted %lld intent %d/%d body '%s' to %s "
      "route %s",
      static_cast<long long>(r.id), lane == Lane::Fast ? "fast" : "bulk", ops[static_cast<int>(op)], r.record_version,
      text(r.pres_uri).c_str(), r.watcher_uri.empty() ? "" : " watched by ", text(r.watcher_uri).c_str(),
      text(r.call_id).c_str(), text(r.from_tag).c_str(), text(r.to_tag).c_str(), r.cseq, text(r.etag).c_str(),
      static_cast<long long>(r.expires), static_cast<long long>(r.desired_expires), r.intent,
      r.intent_expires, text(r.body).c_str(), text(r.remote_contact).c_str(), text(r.record_route).c_str());
}

int World::seq_of(std::string_view body) const { return body.empty() ? 0 : atoi(std::string(body.substr(1)).c_str()); }

void World::boot() {
  life_++;
  store_ = std::make_unique<SimStore>(disk_, random_, immediate_);
  store_->mode = store_mode_;
  if (trace_) store_->seen = [this](Lane lane, RowOp op, const Row& row) { say_row(lane, op, row); };
  WriteBehindPolicy policy;
  policy.retry_max_ms = 5000;
  behind_ = std::make_unique<WriteBehind>(*store_, log_, policy, nullptr);
  engine_ = std::make_unique<Engine>(settings_, Engine::Ports{*this, *behind_, *this, log_, nullptr},
                                     [random = Random(random_.next())]() mutable { return random.next(); });
  engine_->set_branch_key({1, 2});   // the same in each life, as it is kept beside the rows
  behind_->attach(engine_.get());
  engine_->set_epoch_offset(kEpochOffset);
  watchers_.booted();
  engine_->start(now_);
  say("boot %s", immediate_ ? "immediate" : "async");
}

template <class Counts>
static void add(Counts& total, const Counts& more) {
  for (size_t s = 0; s < total.size(); s++)
    for (size_t i = 0; i < total[s].size(); i++) total[s][i] += more[s][i];
}

void World::kill() {
  if (!engine_) return;
  if (totals_) {
    add(totals_->coverage, engine_->coverage());
    add(totals_->subscriptions, engine_->subscription_coverage());
  }
  say("kill");
  store_->kill(now_);
  // The process is gone, and with it callers and open transactions: no completion is expected any more.
  life_++;
  for (Call& c : calls_) c.completed = 1;
  excuse_what_the_disk_does_not_know();
  behind_.reset();
  engine_.reset();
  store_.reset();
  out_.clear();
  quiet_.clear();   // the next process does not know which servers asked for quiet
}

// The server to which a request goes: what stands behind the user in its first route, else in its Request-URI. (No request here
// has a proxy.)
static std::string server_of(const SipRequest& q) {
  std::string_view uri = q.uri;
  if (!q.route_set.empty()) uri = q.route_set.substr(1, q.route_set.find('>') - 1);
  size_t at = uri.find('@');
  uri.remove_prefix(at == uri.npos ? uri.find(':') + 1 : at + 1);
  return std::string(uri.substr(0, uri.find(';')));
}

// --- the network -------------------------------------------------------------------------------------------------

Status World::send(const SipRequest& q) {
  bool watcher = q.method == "SUBSCRIBE";
  int key = watcher ? kWatched + Watchers::key_of(q) : atoi(std::string(q.uri.substr(5)).c_str());
  for (auto& [txn, k] : out_)
    if (k == key) fail("two requests in flight for " + std::string(q.uri));
  if (out_.size() >= settings_.max_in_flight) fail("more than max_in_flight out");
  if (!watcher)
    say("PUBLISH %.*s call %.8s cseq %u expires %lld if-match '%.*s' body '%.*s'", static_cast<int>(q.uri.size()), q.uri.data(),
        std::string(q.call_id).c_str(), q.cseq, static_cast<long long>(q.expires), static_cast<int>(q.if_match.size()),
        q.if_match.data(), static_cast<int>(q.body.size()), q.body.data());
  std::string server = server_of(q);
  if (auto it = quiet_.find(server); it != quiet_.end() && now_ < it->second)
    fail("a request to " + server + " before the time that it named");
  if (!healing_ && random_.below(400) == 0) return {Errc::sip_failed, "no socket"};
  Answer a = watcher ? watchers_.send(q, key - kWatched) : esc_.handle(q, now_);
  out_[q.txn] = key;
  replies_.push({a.at, order_++, q.txn, key, life_, server, a});
  return success();
}

MonoMs World::next_event() const {
  MonoMs due = std::min({engine_->next_due(), behind_->next_due(), store_->next_due()});
  due = std::min(due, watchers_.next_due());
  if (!replies_.empty()) due = std::min(due, replies_.top().at);
  return due;
}

void World::one_event() {
  if (!replies_.empty() && replies_.top().at <= now_) {
    Reply r = replies_.top();
    replies_.pop();
    if (r.life != life_) return;  // a reply for a process that was killed
    out_.erase(r.txn);
    SipReply s;
    s.status = r.answer.status;
    s.reason = "x";
    s.origin = r.answer.origin;
    s.etag = r.answer.etag;
    s.expires = r.answer.expires;
    s.min_expires = r.answer.min_expires;
    s.retry_after = r.answer.retry_after;
    s.to_tag = r.answer.to_tag;
    s.contact = r.answer.contact;
    s.route_set = r.answer.route_set;
    s.cseq = r.answer.cseq;
    if (s.origin == ReplyOrigin::Wire && s.status == 503 && s.retry_after > 0) {
      MonoMs& until = quiet_[r.server];
      until = std::max(until, now_ + s.retry_after * 1000);
    }
    if (r.key >= kWatched) {
      say("  -> %d to-tag '%s' expires %lld for w%d", s.status, r.answer.to_tag.c_str(), static_cast<long long>(s.expires),
          r.key - kWatched);
      watchers_.replied(r.key - kWatched, r.answer);
      engine_->on_reply(r.txn, s, now_);
      return;
    }
    say("  -> %d etag '%s' for u%d", s.status, r.answer.etag.c_str(), r.key);
    if (s.origin == ReplyOrigin::Wire && s.status / 100 == 2)
      if (auto it = esc_.states().find(r.answer.etag); it != esc_.states().end()) it->second.reply_processed = true;
    if (ends(s.status, s.origin) && !r.answer.again)
      ended(owners_[static_cast<size_t>(r.key)]);
    engine_->on_reply(r.txn, s, now_);
    return;
  }
  if (watchers_.next_due() <= now_) return watchers_.run();
  if (store_->next_due() <= now_) return store_->run(now_);
  if (behind_->next_due() <= now_) return behind_->run(now_);
  if (engine_->next_due() <= now_) return engine_->run(now_);
}

void World::advance(MonoMs by) {
  MonoMs until = now_ + by;
  for (int guard = 0; failure_.empty(); guard++) {
    MonoMs due = next_event();
    if (due > until) break;
    if (due > now_) {
      now_ = due;
      guard = 0;
    }
    if (guard > 5000) return fail("the loop spins");
    one_event();
  }
  now_ = until;
}

// --- owners --------------------------------------------------------------------------------------------------------

void World::request(int key) {
  Owner& o = owners_[static_cast<size_t>(key)];
  PublishRequest q;
  q.source = 64;
  q.event = 1;
  q.pres_uri = o.uri;
  int seq = ++seq_;
  std::string body = "b" + std::to_string(seq);
  uint64_t kind = random_.below(10);
  static constexpr int64_t lifetimes[] = {-1, -1, -1, 30, 90, 400, 5000};
  q.expires = kind < 3 ? 0 : lifetimes[random_.below(7)];
  if (kind >= 4) q.body = body;
  q.type = static_cast<RequestType>(random_.below(3));
  if (random_.below(20) == 0) q.etag = "wrong";
  const PublicationRecord* before = engine_->find({64, 1, o.uri, {}});
  if (before && !before->etag().empty() && random_.below(10) == 0) q.etag = before->etag();
  size_t index = calls_.size();
  bool removal = q.expires == 0;
  MonoMs end = q.expires > 0 ? now_ + q.expires * 1000 : kNever;
  Call call{key, seq, removal ? 0 : q.body ? seq : o.body_seq, end, removal, 0};
  calls_.push_back(call);
  Status s = engine_->publish(q, [this, index](const Outcome& out) { completed(index, out); }, now_);
  if (calls_[index].completed) fail("completed inside the call");
  say("request u%d seq %d %s%s expires %lld etag '%.*s': %s", key, seq, removal ? "remove" : q.body ? "publish" : "refresh", "",
      static_cast<long long>(q.expires), static_cast<int>(q.etag.size()), q.etag.data(), s ? "ok" : s.error().message.c_str());
  if (!s) {
    calls_[index].completed = 1;
    if (s.error().code == Errc::no_record) o.durable_seq = seq, o.durable_body = 0;   // it is durable that nothing is there
    return;
  }
  o.last_seq = seq;
  if (engine_->loading()) {  // the effect of the request depends on a row that may still come
    o.want = Want::Unsure;
    if (removal) o.removal_seq = seq;
    if (q.body && !removal) o.body_seq = seq;
    o.wanted_end = end;
    return;
  }
  o.ended = false;
  o.want = removal ? Want::Nothing : Want::State;
  o.wanted_end = end;
  if (removal) o.removal_seq = seq;
  if (q.body && !removal) o.body_seq = seq;
}

void World::completed(size_t index, const Outcome& out) {
  Call& c = calls_[index];
  if (++c.completed > 1) fail("request " + std::to_string(c.seq) + " completed twice");
  Owner& o = owners_[static_cast<size_t>(c.key)];
  say("  completed seq %d: %d durable=%d superseded=%d", c.seq, out.status, out.durable, out.superseded);
  if (out.status == 412 && out.origin == ReplyOrigin::Local) ended(o);
  if (out.durable && !out.superseded && c.seq > o.durable_seq) {
    o.durable_seq = c.seq;
    o.durable_body = ends(out.status, out.origin) ? 0 : c.body;
    o.durable_end = c.end;
  }
}

void World::change_moods() {
  Mood& m = esc_.mood;
  m = Mood{};
  auto some = [&](int p) { return random_.below(3) == 0 ? p : 0; };
  switch (random_.below(4)) {
    case 0: break;
    case 1:
      m.lose_request = some(40), m.lose_reply = some(40), m.transport = some(30), m.slow = some(50);
      break;
    case 2:
      m.transient = some(40), m.forbidden = some(20), m.auth = some(10), m.fatal = some(15), m.too_brief = some(20);
      m.retry_after = 50;
      break;
    case 3:
      m.forget = some(30), m.no_etag = some(10), m.no_expires = some(20), m.zero_grant = some(10), m.boast = some(30);
      m.lose_reply = some(10);
      m.fatal = some(5);
      break;
  }
  static constexpr uint32_t grants[] = {3600, 3600, 600, 60, 7200};
  m.max_grant = grants[random_.below(5)];
}

void World::random_input() {
  uint64_t what = random_.below(100);
  if (what < 30) {
    request(static_cast<int>(random_.below(kKeys)));
  } else if (what < 60) {
    watchers_.random_input();
  } else if (what < 85) {
    static constexpr MonoMs steps[] = {0, 1, 3, 10, 50, 200, 1000, 5000, 33000, 120000, 900000};
    advance(static_cast<MonoMs>(random_.below(static_cast<uint64_t>(steps[random_.below(11)] + 1))));
  } else if (what < 89) {
    change_moods();
  } else if (what < 91) {
    say("server restart");
    esc_.restart();
  } else if (what < 95) {
    static constexpr StoreMode modes[] = {StoreMode::Ok, StoreMode::Ok, StoreMode::Slow, StoreMode::Failing, StoreMode::Down};
    store_->mode = store_mode_ = modes[random_.below(5)];
    say("store mode %d", static_cast<int>(store_mode_));
  } else if (what < 98) {
    kill();
    check_restored();
    advance_dead(static_cast<MonoMs>(random_.below(5) ? random_.below(3000) : random_.below(600000)));
    boot();
  } else {
    advance(2000);
  }
}

void World::advance_dead(MonoMs by) { now_ += by; }

}  // namespace sim
