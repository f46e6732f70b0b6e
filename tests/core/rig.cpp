#include "tests/core/rig.h"

#include <algorithm>

#include "tests/support/adapter_sides.h"

#include <CppUTest/TestHarness.h>

namespace pua::test {

std::string Sent::wire() const {
  return method + ' ' + uri + " tag " + from_tag + " call " + call_id + " branch " + branch + " cseq " + std::to_string(cseq) +
         " event " + event + " expires " + std::to_string(expires) + " if-match '" + if_match + "' type '" + content_type +
         "' body '" + body + "' headers '" + extra_headers + "' proxy '" + proxy + "' from " + from + " to " + to + " tag '" +
         to_tag + "' route '" + route_set + "' contact '" + contact + "' accept '" + accept + "' allow '" + allow_events + "'";
}

Rig::Rig()
    : log_(
          [this](LogLevel l, std::string_view s) {
            lines.emplace_back(l, s);
            if (when_logged) when_logged(std::string(s));
          },
          LogLevel::debug) {
  settings.min_expires = 0;
  settings.hash_size = 2;
  store_policy.group_ms = 0;  // a commit ends in the turn in which it began, so that most tests need no clock for it
  settings.host = "pua.example.net";
  events[kPresence] = {kPresence, "presence", "application/pidf+xml"};
  events[kDialog] = {kDialog, "dialog", "application/dialog-info+xml"};
  events[kCallInfo] = {kCallInfo, "call-info", ""};
  boot();
}

Rig::~Rig() {
  when_completed = nullptr;
  when_logged = nullptr;
  kill();
}

void Rig::boot() {
  if (engine) kill();
  life_++;
  store = std::make_unique<FaultyStore>(disk);
  store->delay_ms = std::exchange(load_delay_ms, 0);
  store->fail_loads = std::exchange(loads_to_fail, 0);
  store->left_over = left_over;
  behind = std::make_unique<WriteBehind>(*store, log_, store_policy, [] {});
  engine = std::make_unique<Engine>(settings, Engine::Ports{*this, *behind, *this, log_, [this](MonoMs due) { wakes.push_back(due); }},
                                    entropy());
  engine->set_branch_key(branch_key);
  behind->attach(engine.get());
  engine->set_epoch_offset(epoch_offset);
  engine->start(now);
  settle();
}

// Entropy that repeats from run to run of the tests; each life of the engine has other numbers.
Entropy Rig::entropy() {
  return [this, random = Random(seed++)]() mutable { return drawn.emplace_back(random.next()); };
}

void Rig::kill(bool under_way_committed) {
  if (!engine) return;
  store->crash(under_way_committed);
  behind.reset();
  engine.reset();
  store.reset();
  for (Sent& s : sent) s.answered = true;  // their replies would find no transaction
}

void Rig::advance(MonoMs ms) {
  MonoMs until = now + ms;
  for (int spins = 0; engine;) {
    MonoMs due = std::min(behind->next_due(), engine->next_due());
    if (due > until) break;
    spins = due > now ? 0 : spins + 1;
    if (spins > 20000) FAIL("the loop spins");
    now = std::max(now, due);
    if (behind->next_due() <= now) behind->run(now);
    if (engine && engine->next_due() <= now) engine->run(now);
  }
  now = until;
}

void Rig::insert(const Row& row) {
  OfferedRows one(RowOp::Upsert, row);
  KeepingSink ignored;
  struct Peek : StoreAdapter {
    static AdapterSink* of(const StoreAdapter& a) { return a.*&Peek::sink_; }
  };
  AdapterSink* behind_it = Peek::of(disk);   // of a process that runs
  disk.attach(&ignored);
  disk.write(Lane::Fast, one, now);
  disk.attach(behind_it);
}

void Rig::settle() { advance(0); }

// --- owners ------------------------------------------------------------------------------------------------------

Call& Rig::ask(const Ask& a) {
  PublishRequest q;
  q.source = a.source;
  q.event = a.event;
  q.pres_uri = a.uri;
  q.id = a.id;
  q.expires = a.expires;
  q.type = a.type;
  if (a.body) q.body = *a.body;
  q.content_type = a.content_type;
  q.etag = a.etag;
  q.extra_headers = a.headers;
  q.outbound_proxy = a.proxy;
  q.cb_param = a.cb_param;
  return call([&](RequestDone done) { return engine->publish(q, std::move(done), now); });
}

Call& Rig::call(const std::function<Status(RequestDone)>& take) {
  Call& call = calls.emplace_back();
  bool outer = std::exchange(calling_, true);
  Status s = take([this, &call, life = life_](const Outcome& o) {
    if (calling_) FAIL("completed inside a call");
    if (life != life_) FAIL("completed after the end of its process");
    call.completed++;
    call.order = ++completions;
    call.at = now;
    call.status = o.status;
    call.reason = o.reason;
    call.etag = o.etag;
    call.origin = o.origin;
    call.granted = o.granted;
    call.durable = o.durable;
    call.superseded = o.superseded;
    call.kept = o.kept;
    if (when_completed) when_completed(call);
  });
  calling_ = outer;
  call.code = s.code();
  if (!s) call.message = s.error().message;
  return call;
}

Call& Rig::publish(const std::string& body, int64_t expires) {
  Call& c = ask({.expires = expires, .body = body});
  settle();
  return c;
}

Call& Rig::refresh(int64_t expires) {
  Call& c = ask({.expires = expires});
  settle();
  return c;
}

Call& Rig::remove() { return refresh(0); }

Call& Rig::live(const std::string& etag, int64_t expires, const std::string& body) {
  Call& c = publish(body, expires);
  ok(etag);
  return c;
}

// --- the server --------------------------------------------------------------------------------------------------

Sent& Rig::last() {
  if (sent.empty()) FAIL("no request was sent");
  return sent.back();
}

void Rig::answer(Sent& s, const Answer& a) {
  if (s.answered) FAIL("this request was answered already");
  s.answered = true;
  s.digest_cseq = a.cseq;
  SipReply r;
  r.status = a.status;
  r.reason = a.status < 300 ? "OK" : "Refused";
  r.origin = a.origin;
  r.expires = a.expires;
  r.etag = a.etag;
  r.min_expires = a.min_expires;
  r.retry_after = a.retry_after;
  r.cseq = a.cseq;
  r.message = a.message;
  r.to_tag = a.to_tag;
  r.contact = a.contact;
  r.route_set = a.route_set;
  r.ours = a.ours;
  r.etag_unusable = a.etag_unusable;
  engine->on_reply(s.txn, r, now);
  settle();
}

void Rig::time_out(Sent& s) { answer(s, {.status = 408, .origin = ReplyOrigin::Timeout}); }

void Rig::time_out() {
  Sent& s = last();
  advance(s.at + 32 * kSecond - now);
  time_out(s);
}

size_t Rig::open() const {
  return static_cast<size_t>(std::count_if(sent.begin(), sent.end(), [](const Sent& s) { return !s.answered; }));
}

std::string Rig::kinds() const {
  std::string all;
  for (const Sent& s : sent) all += (all.empty() ? "" : " ") + s.kind();
  return all;
}

Status Rig::send(const SipRequest& q) {
  if (!send_error.empty()) return {Errc::sip_failed, send_error};
  for (const Sent& s : sent) {
    if (several_ids || s.answered || s.event != q.event || s.method != q.method) continue;
    if (s.method == "SUBSCRIBE" ? s.from == q.from && s.to == q.to : s.uri == q.uri) FAIL("two requests in flight for one record");
  }
  Sent s;
  s.txn = q.txn;
  s.at = now;
  s.method = q.method;
  s.uri = q.uri;
  s.from_tag = q.from_tag;
  s.call_id = q.call_id;
  s.branch = q.branch;
  s.event = q.event;
  s.if_match = q.if_match;
  s.content_type = q.content_type;
  s.body = q.body;
  s.extra_headers = q.extra_headers;
  s.proxy = q.proxy;
  s.from = q.from;
  s.to = q.to;
  s.to_tag = q.to_tag;
  s.route_set = q.route_set;
  s.contact = q.contact;
  s.accept = q.accept;
  s.allow_events = q.allow_events;
  s.cseq = q.cseq;
  s.expires = q.expires;
  // CSeq must grow in a dialog, over all lives of the process (RFC 3261 section 12.2.1.1); only its first request may be
  // repeated.
  bool repeated = q.to_tag.empty() && std::any_of(sent.begin(), sent.end(), [&](auto& b) { return b.wire() == s.wire(); });
  for (const Sent& before : sent) {
    if (q.method != "SUBSCRIBE" || before.call_id != s.call_id || repeated) continue;
    if (std::max(before.cseq, before.digest_cseq) >= s.cseq)
      FAIL(("the CSeq did not grow:\n  " + before.wire() + "\n  " + s.wire()).c_str());
  }
  sent.push_back(std::move(s));
  return success();
}

// --- bodies ------------------------------------------------------------------------------------------------------

const EventInfo* Rig::by_flag(int32_t flag) const {
  auto it = events.find(flag);
  return it == events.end() ? nullptr : &it->second;
}

const EventInfo* Rig::by_name(std::string_view name) const {
  for (auto& [flag, info] : events) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

Result<Unit> Rig::process(const BodyRequest& b, std::string& out, bool& unchanged, std::string& tuple) {
  if (processor) return processor(b, out, unchanged, tuple);
  unchanged = true;
  return success();
}

bool Rig::accepts(int32_t event, std::string_view content_type) const {
  const EventInfo* info = by_flag(event);
  return info && (info->accept.empty() || info->accept.find(content_type) != std::string_view::npos);
}

Result<DocumentState> Rig::inspect(int32_t event, std::string_view content_type, std::string_view body) {
  return inspector ? inspector(event, content_type, body) : DocumentState{};
}

// --- looking in --------------------------------------------------------------------------------------------------

const PublicationRecord* Rig::record(const std::string& uri, const std::string& id, int32_t event, int32_t source) const {
  return engine->find({source, event, uri, id});
}

std::string Rig::state(const std::string& uri) const {
  const PublicationRecord* r = record(uri);
  return r ? state_name(r->m->state) : "none";
}

std::vector<StoredRow> Rig::rows() {
  KeepingSink take;
  MemoryStore copy = disk;  // so that the adapter in front keeps its own sink
  copy.attach(&take);
  copy.load(0, 1000000, now);
  return std::move(take.rows);
}

StoredRow Rig::row() {
  auto all = rows();
  if (all.size() != 1) FAIL("the table does not hold exactly one row");
  return all.at(0);
}

bool Rig::logged(LogLevel level, const std::string& part) const {
  return std::any_of(lines.begin(), lines.end(),
                     [&](auto& l) { return l.first == level && l.second.find(part) != std::string::npos; });
}

}  // namespace pua::test
