// The session with a MariaDB server: its step, and what an input says by itself. The rules are in mysql_session_rules.cpp.
#include "store/mysql_session.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdlib>

#include "store/mysql_session_step.h"
#include "store/mysql_sql.h"

namespace pua::mysql {

namespace {

constexpr size_t kMaxFences = 64;
constexpr uint32_t kWriterTries = 3;

}  // namespace

const char* state_name(State s) {
  static constexpr const char* names[] = {"closed", "resolving", "dialing", "settings", "version", "fence", "kill",
                                          "fence_wait", "taker_wait", "line", "line_wait", "counts", "begin_counts",
                                          "copied", "writer", "statement", "rollback", "collided", "idle"};
  return names[static_cast<int>(s)];
}
const char* input_name(Input i) {
  static constexpr const char* names[] = {"run", "addresses", "unable", "connected", "refused", "answered", "lost",
                                          "timed_out", "too_long", "unfit", "collision", "table_lost", "down",
                                          "not_writer", "rejected", "due", "told", "ended", "cancel"};
  return names[static_cast<int>(i)];
}

Input input_of(unsigned code, Cut cut) {
  if (cut == Cut::TooLong) return Input::TooLong;
  if (code == kNotTheWriter) return Input::NotWriter;
  switch (fault_of(code)) {
    case DbFault::None: return Input::Answered;
    case DbFault::Lost: return cut == Cut::TimedOut ? Input::TimedOut : Input::Lost;
    case DbFault::HostUnfit: return Input::Unfit;
    case DbFault::Collision: return Input::Collision;
    case DbFault::TableLost: return Input::TableLost;
    case DbFault::Down: return Input::Down;
    case DbFault::Row: return Input::Rejected;
  }
  return Input::Rejected;
}

bool is_address(const std::string& host) {
  unsigned char octets[sizeof(in6_addr)];
  std::string plain = host.substr(0, host.find('%'));
  return inet_pton(AF_INET, plain.c_str(), octets) == 1 || inet_pton(AF_INET6, plain.c_str(), octets) == 1;
}

std::vector<std::string> known_addresses(const DbHost& host) {
  if (is_address(host.name)) return {host.name};
  if (host.name != "localhost") return {};
  if (host.port == 0) return {"", "127.0.0.1", "::1"};   // the unix socket first, as the documentation has it
  return {"127.0.0.1", "::1"};
}

void end_session(Fields& f, bool left_behind) {
  if (left_behind && may_write(f.state)) {
    std::vector<std::string>& fences = f.servers.list[f.server].fences;
    if (fences.size() >= kMaxFences) fences.erase(fences.begin());
    fences.push_back(f.mark);
    f.servers.writer = f.new_mark();
    f.servers.writer_stands = false;
  }
  if (f.servers.taker == &f) f.servers.taker = nullptr;
  f.mark.clear();
  f.told.clear();
}

namespace {

// The text at a place of a row; nothing where the server sends fewer columns than were asked for, or NULL.
std::optional<std::string> text_at(const Texts& row, size_t at, size_t columns) {
  return row.size() >= columns ? row[at] : std::nullopt;
}

void hear_run(Step& s) {
  Fields& f = s.f;
  f.sql = s.e.sql;
  f.kind = s.e.kind;
  f.servers_tried = f.collisions = f.not_writer = 0;
  f.settled = false;
  f.fresh = f.state != State::Idle;
}

void hear_addresses(Step& s) {
  Fields& f = s.f;
  f.addresses = s.e.addresses;
  f.socket_trouble.clear();
  // Of several addresses of a name, the one that the other connections are at comes first: one lane sees what another has
  // written.
  const MysqlServer& server = f.servers.list[f.server];
  if (!known_addresses(server.host).empty()) return;
  auto known = std::find(f.addresses.begin(), f.addresses.end(), server.address);
  if (known != f.addresses.end()) std::rotate(f.addresses.begin(), known, known + 1);
}

// Whether the session that holds the lock of the fence is still there.
void hear_holder(Step& s) {
  Fields& f = s.f;
  f.holder.reset();
  std::optional<std::string> id = s.e.rows.empty() ? std::nullopt : text_at(s.e.rows[0], 0, 1);
  if (id) {
    f.holder = strtoull(id->c_str(), nullptr, 10);
    return;
  }
  std::erase(f.servers.list[f.server].fences, f.asked);
  f.give_up_at = 0;
}

void hear_version(Step& s) {
  Fields& f = s.f;
  f.version = (s.e.rows.empty() ? std::nullopt : text_at(s.e.rows[0], 1, 2)).value_or("");
  if (f.version == std::to_string(f.servers.version)) f.servers.stand_at(f.server, f.address);
}

// The writer's line is ours: no upsert of anybody else moves the counts any more. Are they where we have left them?
void hear_counts(Step& s) {
  MysqlServers& servers = s.f.servers;
  std::string found[2];
  for (const Texts& row : s.e.rows) {
    std::optional<std::string> name = text_at(row, 0, 2), value = text_at(row, 1, 2);
    for (size_t i = 0; i < 2; i++)
      if (name && value && servers.counts[i].name == *name) found[i] = *value;
  }
  s.f.copied = false;
  for (size_t i = 0; i < 2; i++)
    if (!servers.may_say(servers.counts[i], found[i])) s.f.copied = true;
  if (s.f.copied) servers.forget_counts();
}

void hear_counts_began(Step& s) {
  MysqlServers& servers = s.f.servers;
  servers.taker = nullptr;
  servers.begun.clear();
  if (servers.writer != s.f.asked) return;
  for (MysqlCount& c : servers.counts) c.begin(s.f.asked);
  servers.writer_stands = true;
}

// What the statement itself was answered, good or bad. In its transaction the count moves where the rows do, or neither does.
void hear_statement(Step& s) {
  Fields& f = s.f;
  f.settled = s.e.input == Input::Answered;
  f.stuck = false;
  if (f.kind != Kind::Counted) return;
  f.count_known = f.line_stood && f.servers.writer_stands && f.count->life == f.count_life;
  f.at_commit = s.e.changed.size() > kCountAnswer;
  if (!f.settled || !f.count_known) return;
  if (f.at_commit && s.e.changed[kCountAnswer] > 0) {
    f.count->number = f.count->most;
    return;
  }
  f.servers.forget_counts();
  f.stuck = true;
}

// The transaction is gone, and the count is what it was, unless it was the commit that failed: that may have been done all the
// same.
Input hear_rolled_back(Step& s) {
  if (s.f.count_known && !s.f.at_commit) s.f.count->most = s.f.count_before;
  return s.f.answered_by;
}

Input hear_answer(Step& s) {
  switch (s.f.state) {
    case State::Version: hear_version(s); break;
    case State::Fence: hear_holder(s); break;
    case State::Counts: hear_counts(s); break;
    case State::BeginCounts: hear_counts_began(s); break;
    case State::Writer: s.f.told = s.f.asked; break;
    case State::Statement: hear_statement(s); break;
    case State::Rollback: return hear_rolled_back(s);
    default: break;
  }
  return Input::Answered;
}

// Why there is no good answer, without the server's name.
std::string reason_of(const Step& s) {
  if (s.e.input == Input::TimedOut) return "no answer within " + std::to_string(s.f.servers.timeout_ms) + " ms";
  if (s.e.input == Input::TooLong) return s.e.text;
  return s.e.text + " (" + std::to_string(s.e.code) + ")";
}

// What the caller would be told.
DbAnswer answer_of(const Step& s) {
  const Event& e = s.e;
  DbAnswer a;
  a.code = e.input == Input::TooLong ? kBroken : e.code;
  a.fault = fault_of(a.code);
  a.too_long = e.input == Input::TooLong;
  if (!e.changed.empty()) a.changed = e.changed[e.changed.size() > 1 ? kStatementAnswer : 0];
  if (e.input != Input::Answered) a.error = where(s.f) + ": " + reason_of(s);
  return a;
}

void hear_failure(Step& s) {
  Fields& f = s.f;
  Input i = s.e.input;
  f.code = f.answer.code;
  f.reason = reason_of(s);
  bool lost = i == Input::Lost || i == Input::TimedOut || i == Input::TooLong;
  // Where a rollback fails, the transaction stands open, with its locks: what came next would be in it.
  if (lost || f.state == State::Rollback) {
    end_session(f, true);
    s.action.close = true;
  }
  if (i == Input::TimedOut || i == Input::TooLong) f.fresh = true;   // the same server would do the same again
  bool takes = f.state == State::Line || f.state == State::Counts || f.state == State::BeginCounts;
  if (takes && i != Input::Collision) f.servers.taker = nullptr;
  bool counted = f.state == State::Statement && f.kind == Kind::Counted;
  if (counted) hear_statement(s);
}

// Another writer stands in the line. That is nothing odd where it was changed after this session was told.
void hear_not_writer(Step& s) {
  Fields& f = s.f;
  f.again = f.told != f.servers.writer && f.not_writer++ < kWriterTries;
  if (f.again) f.give_up_at = 0;
}

// What keeps us from an address of the server, or from all of them. Of several addresses the last one's trouble is told, and
// that of the unix socket, which is tried first: where somebody has set it wrong, the others say nothing of it.
void hear_trouble(Step& s) {
  Fields& f = s.f;
  bool of_socket = s.e.input == Input::Refused && f.address.empty();
  std::string path = f.servers.socket.empty() ? "the unix socket" : f.servers.socket;
  std::string text = of_socket && s.e.text.find(path) == s.e.text.npos ? path + ": " + s.e.text : s.e.text;
  f.code = s.e.code;
  f.reason = f.socket_trouble + text;
  if (of_socket) f.socket_trouble = text + "; ";
}

// Returns the input that the rules are to go by.
Input hear(Step& s) {
  Fields& f = s.f;
  Input i = s.e.input;
  switch (i) {
    case Input::Run: hear_run(s); return i;
    case Input::Addresses: hear_addresses(s); [[fallthrough]];
    case Input::Unable:
    case Input::Refused: hear_trouble(s); return i;
    case Input::Connected:
    case Input::Due:
    case Input::Told:
    case Input::Ended:
    case Input::Cancel: return i;
    default: break;
  }
  bool rolled_back = f.state == State::Rollback && i == Input::Answered;
  if (!rolled_back) f.answer = answer_of(s);
  if (i == Input::Answered) i = hear_answer(s);
  else hear_failure(s);
  bool to_roll_back = f.state == State::Statement && f.kind == Kind::Counted;
  if (i == Input::NotWriter && (f.state == State::Statement || f.state == State::Rollback) && !to_roll_back) hear_not_writer(s);
  return i;
}

}  // namespace

Session::Session(MysqlServers& servers, Use use, MysqlCount* count, std::function<std::string()> new_mark)
    : fields_{servers, use, count, std::move(new_mark)} {
  if (servers.writer.empty()) servers.writer = fields_.new_mark();
}

bool legal(State s, Input i) {
  if (s == State::Rollback && i == Input::Answered) return true;
  auto rules = session_rules();
  return std::any_of(rules.begin(), rules.end(), [&](const auto& r) { return is_for(r, s, i); });
}

Action Session::step(const Event& e, MonoMs now) {
  if (!legal(fields_.state, e.input)) return {};
  Step s{fields_, e, now};
  Input input = hear(s);
  const auto* rule = find_rule(session_rules(), fields_.state, input, s);
  if (!rule) return {};
  if (rule->act) rule->act(s);
  fields_.state = next_state(fields_.state, rule->to);
  return std::move(s.action);
}

}  // namespace pua::mysql
