// Rig for the engine: a SIP port that records every request and lets the test answer it, a bodies port, a store of memory
// behind the real write-behind queue, a clock that stands still, and restarts as after SIGKILL.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/engine.h"
#include "store/memory_store.h"
#include "store/write_behind.h"
#include "tests/support/faulty_store.h"

#define TEXT_EQUAL(want, got) STRCMP_EQUAL(std::string(want).c_str(), std::string(got).c_str())

namespace pua::test {

constexpr MonoMs kSecond = 1000;
constexpr int32_t kPresence = 1, kDialog = 64, kCallInfo = 128, kMessageSummary = 8;
const std::string kAlice = "sip:alice@example.com";

// A request that left, with everything in it.
struct Sent {
  TxnId txn = 0;
  MonoMs at = 0;
  std::string method, uri, from_tag, call_id, branch, event, if_match, content_type, body, extra_headers, proxy;
  std::string from, to, to_tag, route_set, contact, accept, allow_events;   // of a SUBSCRIBE
  uint32_t cseq = 0, digest_cseq = 0;  // the second: of its repetition with credentials
  int64_t expires = -1;
  bool answered = false;
  // "initial", "refresh", "modify", "remove" or "fetch", by what is in it.
  std::string kind() const {
    if (method == "SUBSCRIBE") return expires == 0 ? (to_tag.empty() ? "fetch" : "remove") : to_tag.empty() ? "initial" : "refresh";
    if (expires == 0) return "remove";
    if (if_match.empty()) return "initial";
    return body.empty() ? "refresh" : "modify";
  }
  // Everything that goes on the wire, in one line.
  std::string wire() const;
};

// What an owner asks for, with its usual values.
struct Ask {
  std::string uri = kAlice;
  int64_t expires = 3600;
  std::optional<std::string> body = {};
  std::string id = {}, etag = {}, content_type = {}, headers = {}, proxy = {};
  int32_t source = 64, event = kPresence;
  RequestType type = RequestType::Auto;
  void* cb_param = nullptr;
};

// How one request went.
struct Call {
  Errc code = Errc::ok;            // what the call returned
  std::string message;             // of the error, where it was refused
  int completed = 0;
  int order = 0;                   // among all completions, from 1 on
  MonoMs at = 0;
  int status = 0;
  std::string reason, etag;
  ReplyOrigin origin = ReplyOrigin::Local;
  int64_t granted = 0;
  bool durable = false, superseded = false, kept = false;
};

struct Answer {
  int status = 200;
  std::string etag = {};
  int64_t expires = -1, min_expires = -1, retry_after = -1;
  ReplyOrigin origin = ReplyOrigin::Wire;
  uint32_t cseq = 0;
  std::shared_ptr<const ReplyMessage> message = {};
  std::string to_tag = {}, contact = {}, route_set = {};
  bool ours = false, etag_unusable = false;
};

class Rig : public SipPort, public BodiesPort {
 public:
  // What the fields below hold can be changed before boot(); most tests use it as it is.
  Rig();
  ~Rig() override;

  // --- the process ---
  void boot();                                   // starts a process, after a kill of one that runs; the constructor does so too
  void kill(bool under_way_committed = false);   // SIGKILL: memory is lost, the disk stays
  void restart() { kill(), boot(); }             // and the whole table is read
  void settle();                                 // runs what is due now
  void advance(MonoMs ms);                       // ... and then what becomes due in this time

  // --- owners ---
  Call& ask(const Ask&);                         // makes the call, and runs nothing
  Call& call(const std::function<Status(RequestDone)>& take);   // makes any other call that takes a request
  Call& publish(const std::string& body, int64_t expires = 3600);
  Call& refresh(int64_t expires = 3600);
  Call& remove();
  // Publishes, and confirms that with this entity-tag; the grant is what was asked for.
  Call& live(const std::string& etag = "e1", int64_t expires = 3600, const std::string& body = "b1");

  // --- the server ---
  Sent& last();                                  // the newest request; the test fails if there is none
  void answer(Sent&, const Answer&);
  void answer(const Answer& a) { answer(last(), a); }
  void ok(const std::string& etag, int64_t granted) { answer({.etag = etag, .expires = granted}); }
  void ok(const std::string& etag) { ok(etag, last().expires); }
  void reject(int status) { answer({.status = status}); }
  void time_out();                               // the newest request gets no reply for 32 s
  void time_out(Sent&);
  size_t open() const;                           // requests without a reply so far
  std::string kinds() const;                     // "initial refresh remove"

  void insert(const Row&);                       // puts a row into the table, as another program would

  // --- looking in ---
  const PublicationRecord* record(const std::string& uri = kAlice, const std::string& id = "", int32_t event = kPresence,
                       int32_t source = 64) const;
  std::string state(const std::string& uri = kAlice) const;   // "none" without a record
  std::vector<StoredRow> rows();
  StoredRow row();                               // the only one there is
  Stats stats() const { return engine->stats(); }
  bool logged(LogLevel, const std::string& part) const;

  MonoMs now = 1000000;
  int64_t epoch_offset = 1800000000000;
  uint64_t seed = 7;
  HashKey branch_key{11, 12};                    // kept beside the rows, so that it outlives the process
  std::vector<uint64_t> drawn;                   // all that the engine took of its entropy
  EngineSettings settings;
  WriteBehindPolicy store_policy;
  MonoMs load_delay_ms = 0;                      // at the next boot pages come this much later, and until then no write ends
  int64_t left_over = 0;                         // see FaultyStore
  int loads_to_fail = 0;                         // at the next boot so many first pages cannot be read
  std::map<int32_t, EventInfo> events;
  std::function<Result<Unit>(const BodyRequest&, std::string& out, bool& unchanged, std::string& tuple)> processor;
  std::function<Result<DocumentState>(int32_t event, std::string_view type, std::string_view body)> inspector;
  bool several_ids = false;                      // the test has several records of one URI and event: two may have requests out
  std::string send_error;                        // not empty: the SIP port refuses to send
  std::deque<Sent> sent;
  std::deque<Call> calls;
  int completions = 0;
  std::function<void(Call&)> when_completed;
  std::function<void(const std::string& line)> when_logged;
  std::vector<std::pair<LogLevel, std::string>> lines;
  std::vector<MonoMs> wakes;
  MemoryStore disk;
  std::unique_ptr<FaultyStore> store;
  std::unique_ptr<WriteBehind> behind;
  std::unique_ptr<Engine> engine;

  Status send(const SipRequest&) override;
  const EventInfo* by_flag(int32_t flag) const override;
  const EventInfo* by_name(std::string_view name) const override;
  Result<Unit> process(const BodyRequest&, std::string& out, bool& unchanged, std::string& tuple) override;
  std::string_view allow_events() const override { return "presence, dialog"; }
  bool accepts(int32_t event, std::string_view content_type) const override;   // what EventInfo::accept lists
  Result<DocumentState> inspect(int32_t event, std::string_view content_type, std::string_view body) override;

 private:
  Entropy entropy();

  Log log_;
  int life_ = 0;
  bool calling_ = false;                         // a call is under way: no completion may come inside it
};

}  // namespace pua::test
