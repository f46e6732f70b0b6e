// A session with MariaDB without a server: a test plays the server, the network and the clock.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "store/mysql_session.h"
#include "tests/support/machine_table.h"

#include <CppUTest/TestHarness.h>

namespace pua::test {

using mysql::Action;
using mysql::Event;
using mysql::Input;
using mysql::Kind;
using mysql::Texts;
using mysql::Use;
using SessionState = mysql::State;

inline auto described_session() {
  return Described{mysql::session_rules(), mysql::kStates, mysql::kInputs, mysql::state_name, mysql::input_name};
}
inline const std::string kSessionHeader = "src/store/mysql_session.h";
inline std::string with_session_table(const std::string& header) { return with_table(header, described_session().table(true)); }

inline const char* name_of(Action::Do d) {
  static constexpr const char* names[] = {"wait", "resolve", "dial", "ask", "pause", "tell", "finish"};
  return names[static_cast<int>(d)];
}

// An error number of each kind.
inline unsigned code_of(Input i) {
  switch (i) {
    case Input::Lost:
    case Input::TimedOut:
    case Input::TooLong: return 2013;
    case Input::Unfit: return 1290;
    case Input::Collision: return 1213;
    case Input::TableLost: return 1146;
    case Input::Down: return 1021;
    case Input::NotWriter: return 1048;
    case Input::Rejected: return 4025;
    default: return 0;
  }
}

class SessionRig {
 public:
  explicit SessionRig(Use use = Use::Write, std::vector<DbHost> hosts = {{"10.0.0.1", 3306}}) {
    servers.table = "pua";
    servers.version = 12;
    servers.timeout_ms = 400;
    servers.writer_name = "writer@h";
    servers.counts[0].name = "fast@h";
    servers.counts[1].name = "bulk@h";
    for (DbHost& h : hosts) servers.list.push_back({.host = std::move(h), .address = {}, .fences = {}});
    session = another(use);
  }
  SessionRig(const SessionRig&) = delete;
  SessionRig& operator=(const SessionRig&) = delete;
  // Another connection of the same store.
  std::unique_ptr<mysql::Session> another(Use use) {
    return std::make_unique<mysql::Session>(servers, use, use == Use::Write ? &servers.counts[0] : nullptr,
                                            [this] { return "m" + std::to_string(++marks); });
  }

  const Action& give(Event e) {
    last = session->step(e, now);
    return last;
  }
  const Action& give(Input i) { return give(Event{i}); }
  const Action& run(Kind kind = Kind::Plain, std::string sql = "THE STATEMENT") {
    return give({.input = Input::Run, .sql = std::move(sql), .kind = kind});
  }
  const Action& fail(Input i, std::string text = "why", unsigned code = 0) {
    return give({.input = i, .code = code ? code : code_of(i), .text = std::move(text)});
  }
  // Answers the question that was asked last, as a server does where all is well.
  const Action& answer() {
    Event e{Input::Answered};
    switch (state()) {
      case SessionState::Version: e.rows = {{"1", "12"}}; break;
      case SessionState::Fence: e.rows = {{std::nullopt}}; break;
      case SessionState::Counts:
        for (const MysqlCount& c : servers.counts)
          if (!c.writer.empty()) e.rows.push_back({c.name, c.value(c.number)});
        break;
      case SessionState::Statement:
        if (session->fields().kind == Kind::Counted) e.changed = {0, 1, 2, 0};
        else e.changed = {1};
        break;
      default: break;
    }
    return give(std::move(e));
  }

  // Does what the last action asks for, as it goes where all is well, until the session is in that state.
  void go(SessionState to) {
    for (int steps = 0; state() != to && steps < 30; steps++) {
      switch (last.what) {
        case Action::Do::Resolve: give({.input = Input::Addresses, .addresses = {"10.0.0.1"}}); break;
        case Action::Do::Dial: give(Input::Connected); break;
        case Action::Do::Ask: answer(); break;
        case Action::Do::Pause: give(Input::Due); break;
        case Action::Do::Tell: give(Input::Told); break;
        case Action::Do::Wait:
        case Action::Do::Finish: return;
      }
    }
  }
  // Runs a statement from the beginning until the session is in that state, whatever stands in the way of it.
  void bring_to(SessionState to, Kind kind = Kind::Plain);

  SessionState state() const { return session->state(); }
  std::vector<std::string>& fences() { return servers.list[0].fences; }
  // "idle finish", "closed close+finish": where it stands, and what is to be done.
  std::string said() const { return std::string(mysql::state_name(state())) + " " + (last.close ? "close+" : "") + name_of(last.what); }

  MysqlServers servers;
  MonoMs now = 1000;
  int marks = 0;
  std::unique_ptr<mysql::Session> session;
  Action last;
  int elsewhere = 0;   // its address stands for another connection that writes the line
};

inline void SessionRig::bring_to(SessionState to, Kind kind) {
  using S = SessionState;
  bool fence = to == S::Fence || to == S::Kill || to == S::FenceWait;
  if (to == S::Closed) return;
  if (fence) fences().push_back("left");
  if (to == S::TakerWait) servers.taker = &elsewhere;
  if (to == S::Copied) servers.counts[0].begin("another");
  run(kind);
  if (to == S::Kill || to == S::FenceWait) {
    go(S::Fence);
    give({.input = Input::Answered, .rows = {{"77"}}});
    if (to == S::FenceWait) give(Input::Answered);
    return;
  }
  if (to == S::LineWait) {
    go(S::Line);
    fail(Input::Collision);
    return;
  }
  if (to == S::Copied) {
    go(S::Counts);
    give(Input::Answered);   // no such lines
    return;
  }
  if (to == S::Rollback || to == S::Collided) {
    go(S::Statement);
    fail(Input::Collision);
    return;
  }
  go(to);
}

inline void asks(const SessionRig& rig, const std::string& sql) {
  STRCMP_EQUAL("ask", name_of(rig.last.what));
  STRCMP_EQUAL(sql.c_str(), rig.last.text.c_str());
}
inline void finishes(const SessionRig& rig, unsigned code, DbFault fault, const std::string& error) {
  STRCMP_EQUAL("finish", name_of(rig.last.what));
  LONGS_EQUAL(code, rig.last.answer.code);
  STRCMP_EQUAL(error.c_str(), rig.last.answer.error.c_str());
  LONGS_EQUAL(static_cast<int>(fault), static_cast<int>(rig.last.answer.fault));
}

}  // namespace pua::test
