// The session with MariaDB: every state by every input, without a server. What it says and in which order:
// mysql_session_rules_test.cpp.
#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/store/mysql_session_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;
using S = SessionState;

namespace {

using Rig = std::unique_ptr<SessionRig>;

const std::string kLost = "lost, timed_out, too_long";
const std::string kRefusals = "table_lost, down, not_writer, rejected";

void give(SessionRig& rig, Input i, Kind kind) {
  switch (i) {
    case Input::Run: rig.run(kind); return;
    case Input::Addresses: rig.give({.input = i, .addresses = {"10.0.0.2"}}); return;
    case Input::Answered: rig.answer(); return;
    default: rig.fail(i); return;
  }
}

// "state what is to be done <- inputs; ..." for every input that can come in that state, but for Cancel.
std::string leads(const std::function<Rig()>& make, S state, Kind kind) {
  std::vector<std::pair<std::string, std::string>> all;
  for (int n = 0; n < mysql::kInputs; n++) {
    auto i = static_cast<Input>(n);
    if (i == Input::Cancel || !mysql::legal(state, i)) continue;
    Rig rig = make();
    rig->bring_to(state, kind);
    STRCMP_EQUAL(mysql::state_name(state), mysql::state_name(rig->state()));
    give(*rig, i, kind);
    std::string said = rig->said();
    auto at = std::find_if(all.begin(), all.end(), [&](const auto& a) { return a.first == said; });
    if (at == all.end()) all.emplace_back(said, mysql::input_name(i));
    else at->second += std::string(", ") + mysql::input_name(i);
  }
  std::string out;
  for (const auto& [said, inputs] : all) out += (out.empty() ? "" : "; ") + said + " <- " + inputs;
  return out;
}

struct Case {
  S state;
  Kind kind;
  std::string leads;
};

void check(const char* what, const std::function<Rig()>& make, const std::vector<Case>& cases) {
  for (const Case& c : cases)
    STRCMP_EQUAL_TEXT(c.leads.c_str(), leads(make, c.state, c.kind).c_str(),
                      (std::string(what) + ": " + mysql::state_name(c.state)).c_str());
}

// A connection that stood idle for a while, under a line that is to be written anew.
Rig idle() {
  auto rig = std::make_unique<SessionRig>();
  rig->bring_to(S::Idle);
  rig->servers.writer_stands = false;
  return rig;
}

}  // namespace

TEST_GROUP(mysql_session) {};

TEST(mysql_session, a_new_connection_to_the_only_server) {
  const std::string all = kLost + ", unfit, collision, " + kRefusals;
  const std::string others = kLost + ", unfit, " + kRefusals;
  check("new", [] { return std::make_unique<SessionRig>(); }, {
      {S::Closed, Kind::Plain, "resolving close+resolve <- run"},
      {S::Resolving, Kind::Plain, "dialing dial <- addresses; closed close+finish <- unable"},
      {S::Dialing, Kind::Plain, "closed close+finish <- unable, refused; settings ask <- connected"},
      {S::Settings, Kind::Plain, "version ask <- answered; closed close+finish <- " + all},
      {S::Version, Kind::Plain, "line ask <- answered; closed close+finish <- " + all},
      {S::Fence, Kind::Plain, "line ask <- answered; closed close+finish <- " + all},
      {S::Kill, Kind::Plain, "fence_wait pause <- answered, unfit, collision, " + kRefusals + "; closed close+finish <- " + kLost},
      {S::FenceWait, Kind::Plain, "fence ask <- due"},
      {S::TakerWait, Kind::Plain, "taker_wait pause <- due"},
      {S::Line, Kind::Plain, "counts ask <- answered; closed close+finish <- " + others + "; line_wait pause <- collision"},
      {S::LineWait, Kind::Plain, "line ask <- due"},
      {S::Counts, Kind::Plain, "begin_counts ask <- answered; closed close+finish <- " + others + "; line_wait pause <- collision"},
      {S::BeginCounts, Kind::Plain, "writer ask <- answered; closed close+finish <- " + others + "; line_wait pause <- collision"},
      {S::Copied, Kind::Plain, "begin_counts ask <- told"},
      {S::Writer, Kind::Plain, "statement ask <- answered; closed close+finish <- " + all},
      {S::Statement, Kind::Plain, "idle finish <- answered, " + kRefusals + "; closed close+finish <- " + kLost + ", unfit; collided pause <- collision"},
      {S::Statement, Kind::Rows, "idle finish <- answered, " + kRefusals + "; closed close+finish <- " + kLost + ", unfit; collided pause <- collision"},
      {S::Statement, Kind::Counted, "idle finish <- answered; closed close+finish <- " + kLost + "; rollback ask <- unfit, collision, " + kRefusals},
      {S::Rollback, Kind::Counted, "collided pause <- answered; closed close+finish <- " + all},
      {S::Collided, Kind::Plain, "statement ask <- due"},
      {S::Idle, Kind::Plain, "statement ask <- run; closed close+wait <- ended"},
  });
}

TEST(mysql_session, an_old_connection_that_is_lost_is_made_anew_unless_the_server_did_not_come_to_an_end) {
  const std::string others = "timed_out, too_long, unfit, collision, " + kRefusals;
  const std::string lost = "resolving close+resolve <- lost; closed close+finish <- ";
  check("old", idle, {
      {S::Fence, Kind::Plain, "line ask <- answered; " + lost + others},
      {S::Kill, Kind::Plain, "fence_wait pause <- answered, unfit, collision, " + kRefusals + "; " + lost + "timed_out, too_long"},
      {S::Line, Kind::Plain, "counts ask <- answered; " + lost + "timed_out, too_long, unfit, " + kRefusals + "; line_wait pause <- collision"},
      {S::Counts, Kind::Plain, "begin_counts ask <- answered; " + lost + "timed_out, too_long, unfit, " + kRefusals + "; line_wait pause <- collision"},
      {S::BeginCounts, Kind::Plain, "writer ask <- answered; " + lost + "timed_out, too_long, unfit, " + kRefusals + "; line_wait pause <- collision"},
      {S::Writer, Kind::Plain, "statement ask <- answered; " + lost + others},
      {S::Statement, Kind::Plain, "idle finish <- answered, " + kRefusals + "; " + lost + "timed_out, too_long, unfit; collided pause <- collision"},
      {S::Rollback, Kind::Counted, "collided pause <- answered; " + lost + others},
      {S::Idle, Kind::Plain, "statement ask <- run; closed close+wait <- ended"},
  });
}

TEST(mysql_session, where_another_server_is_left_it_is_tried) {
  auto two = [] { return std::make_unique<SessionRig>(Use::Write, std::vector<DbHost>{{"10.0.0.1", 3306}, {"10.0.0.2", 3306}}); };
  const std::string next = "resolving close+resolve <- " + kLost + ", unfit";
  check("two", two, {
      {S::Resolving, Kind::Plain, "dialing dial <- addresses; resolving close+resolve <- unable"},
      {S::Dialing, Kind::Plain, "resolving close+resolve <- unable, refused; settings ask <- connected"},
      {S::Settings, Kind::Plain, "version ask <- answered; " + next + "; closed close+finish <- collision, " + kRefusals},
      {S::Version, Kind::Plain, "line ask <- answered; " + next + "; closed close+finish <- collision, " + kRefusals},
      {S::Fence, Kind::Plain, "line ask <- answered; " + next + "; closed close+finish <- collision, " + kRefusals},
      {S::Kill, Kind::Plain, "fence_wait pause <- answered, unfit, collision, " + kRefusals + "; resolving close+resolve <- " + kLost},
      {S::Line, Kind::Plain, "counts ask <- answered; " + next + "; line_wait pause <- collision; closed close+finish <- " + kRefusals},
      {S::Writer, Kind::Plain, "statement ask <- answered; " + next + "; closed close+finish <- collision, " + kRefusals},
      {S::Statement, Kind::Plain, "idle finish <- answered, " + kRefusals + "; " + next + "; collided pause <- collision"},
      {S::Statement, Kind::Rows, "idle finish <- answered, " + kRefusals + "; resolving close+resolve <- lost, timed_out, unfit; "
                                 "closed close+finish <- too_long; collided pause <- collision"},
      {S::Rollback, Kind::Counted, "collided pause <- answered; " + next + "; closed close+finish <- collision, " + kRefusals},
  });
}

TEST(mysql_session, rows_of_a_server_that_takes_no_writes_can_be_read) {
  const std::string reads = "statement ask <- unfit, " + kRefusals;
  check("read", [] { return std::make_unique<SessionRig>(Use::Read); }, {
      {S::Line, Kind::Plain, "counts ask <- answered; closed close+finish <- " + kLost + "; " + reads + "; line_wait pause <- collision"},
      {S::Counts, Kind::Plain, "begin_counts ask <- answered; closed close+finish <- " + kLost + "; " + reads + "; line_wait pause <- collision"},
      {S::BeginCounts, Kind::Plain, "statement ask <- answered, unfit, " + kRefusals + "; closed close+finish <- " + kLost + "; line_wait pause <- collision"},
      {S::Copied, Kind::Plain, "begin_counts ask <- told"},
      {S::Idle, Kind::Plain, "statement ask <- run; closed close+wait <- ended"},
  });
}

// A statement that is given up, or whose connection breaks, may be carried out later: its session is to be ended first.
TEST(mysql_session, a_fence_stays_where_a_statement_may_have_been_left_behind) {
  for (int n = 0; n < mysql::kStates; n++) {
    auto state = static_cast<S>(n);
    bool writes = state >= S::TakerWait && state <= S::Collided;
    Kind kind = state == S::Rollback ? Kind::Counted : Kind::Plain;
    for (Input i : {Input::Cancel, Input::Lost, Input::TimedOut, Input::TooLong}) {
      if (!mysql::legal(state, i)) continue;
      SessionRig rig;
      rig.bring_to(state, kind);
      rig.fences().clear();
      std::string mark = rig.session->fields().mark, writer = rig.servers.writer;
      rig.fail(i);
      const char* where = mysql::state_name(state);
      STRCMP_EQUAL_TEXT(writes ? mark.c_str() : "", rig.fences().empty() ? "" : rig.fences()[0].c_str(), where);
      CHECK_EQUAL_TEXT(!writes, rig.servers.writer == writer, where);
      CHECK_EQUAL_TEXT(state == S::TakerWait, rig.servers.taker != nullptr, where);   // what others do is left alone
      if (writes) CHECK_TEXT(!rig.servers.writer_stands, where);
      CHECK_TEXT(rig.last.close, where);
    }
  }
}

TEST(mysql_session, a_statement_can_be_given_up_in_every_state) {
  for (int n = 0; n < mysql::kStates; n++) {
    auto state = static_cast<S>(n);
    SessionRig rig;
    rig.bring_to(state, state == S::Rollback ? Kind::Counted : Kind::Plain);
    rig.give(Input::Cancel);
    STRCMP_EQUAL_TEXT("closed close+wait", rig.said().c_str(), mysql::state_name(state));
  }
}

TEST(mysql_session, what_cannot_come_changes_nothing) {
  for (int n = 0; n < mysql::kStates; n++) {
    auto state = static_cast<S>(n);
    for (int m = 0; m < mysql::kInputs; m++) {
      auto i = static_cast<Input>(m);
      if (mysql::legal(state, i)) continue;
      SessionRig rig;
      rig.bring_to(state, state == S::Rollback ? Kind::Counted : Kind::Plain);
      give(rig, i, Kind::Rows);
      STRCMP_EQUAL((std::string(mysql::state_name(state)) + " wait").c_str(), rig.said().c_str());
      CHECK(rig.session->fields().kind != Kind::Rows);
    }
  }
}

// A group of its own, as in the core: that a rule is not the one of the header is no proof that anybody would notice.
TEST_GROUP(Machine) {};

TEST(Machine, the_session_has_no_gap_and_its_header_says_what_the_list_says) {
  STRCMP_EQUAL("", described_session().gaps().c_str());
  const std::string header = read_file(kSessionHeader);
  CHECK_TEXT(header == with_session_table(header), "made anew by: build/release/tests/store/unit --write-machines .");
}

TEST(mysql_session, errors_by_their_numbers) {
  using mysql::Cut;
  const struct { unsigned code; Cut cut; Input input; } cases[] = {
      {0, Cut::No, Input::Answered},     {2013, Cut::No, Input::Lost},      {2006, Cut::TimedOut, Input::TimedOut}, {1927, Cut::No, Input::Lost},
      {0, Cut::TooLong, Input::TooLong}, {2013, Cut::TooLong, Input::TooLong}, {1040, Cut::No, Input::Unfit},       {1290, Cut::No, Input::Unfit},
      {1205, Cut::No, Input::Collision}, {1213, Cut::TimedOut, Input::Collision}, {1146, Cut::No, Input::TableLost}, {1021, Cut::No, Input::Down},
      {1048, Cut::No, Input::NotWriter}, {1062, Cut::No, Input::Rejected},  {0, Cut::TimedOut, Input::Answered}};   // it came all the same
  for (const auto& c : cases) STRCMP_EQUAL(mysql::input_name(c.input), mysql::input_name(mysql::input_of(c.code, c.cut)));
}

TEST(mysql_session, addresses_that_nobody_needs_to_be_asked_for) {
  using Names = std::vector<std::string>;
  CHECK(mysql::known_addresses({"192.0.2.1", 3306}) == Names{"192.0.2.1"});
  CHECK(mysql::known_addresses({"2001:db8::1", 0}) == Names{"2001:db8::1"});
  CHECK(mysql::known_addresses({"fe80::1%eth0", 0}) == Names{"fe80::1%eth0"});
  CHECK((mysql::known_addresses({"localhost", 0}) == Names{"", "127.0.0.1", "::1"}));
  CHECK((mysql::known_addresses({"localhost", 3306}) == Names{"127.0.0.1", "::1"}));
  CHECK(mysql::known_addresses({"db.example.com", 3306}).empty());
}
