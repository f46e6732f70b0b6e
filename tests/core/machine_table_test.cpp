// What is made of a list of rules for people to read (tests/support/machine_table.h), from small lists.
#include <cstdint>
#include <string>
#include <vector>

#include "core/machine.h"
#include "tests/support/machine_table.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

enum class State : uint8_t { Out, Home };
enum class Input : uint8_t { Go, Come };
struct Step {};
using ARule = Rule<State, Input, Step>;

constexpr uint32_t kOut = 1, kHome = 2, kGo = 1, kCome = 2;

// Names as long as a test wants them: a table has the width that they leave.
std::string go, come;
const char* state_name(State s) { return s == State::Out ? "out" : "home"; }
const char* input_name(Input i) { return i == Input::Go ? go.c_str() : come.c_str(); }

ARule rule(uint32_t from, uint32_t on, State to) { return {from, on, "", nullptr, to, nullptr, ""}; }

std::string table_of(std::vector<ARule> rules, bool together = false) {
  return Described{std::move(rules), 2, 2, state_name, input_name}.table(together);
}

}  // namespace

TEST_GROUP(machine_table) {
  void setup() override { go = "go", come = "come"; }
  // What the two names are given to the octet, so that a check of lost memory finds none.
  void teardown() override { std::string().swap(go), std::string().swap(come); }
};

TEST(machine_table, a_line_a_state_and_an_entry_an_input) {
  STRCMP_EQUAL("//  out   go: out; come: home\n"
               "//  home  \n", table_of({rule(kOut, kGo, State::Out), rule(kOut, kCome, State::Home)}).c_str());
  STRCMP_EQUAL("//  out   go, come: home\n"
               "//  home  \n", table_of({rule(kOut, kGo | kCome, State::Home)}, true).c_str());
}

// "//  out   " and ": out" are 15 octets; "; ", ": home" and a ";" behind that are 9.
TEST(machine_table, a_line_is_128_columns_long_at_most_with_the_semicolon_behind_it) {
  for (size_t over : {0u, 1u}) {
    go = std::string(50, 'g');
    come = std::string(128 - 15 - 50 - 9 + over, 'c');
    const std::string first = "//  out   " + go + ": out", second = come + ": home";
    STRCMP_EQUAL((first + (over ? ";\n//        " : "; ") + second + "\n//  home  \n").c_str(),
                 table_of({rule(kOut, kGo, State::Out), rule(kOut, kCome, State::Home)}).c_str());
  }
}

TEST(machine_table, an_entry_that_is_longer_than_a_line_is_whole_also_where_it_is_the_first) {
  go = std::string(130, 'g');
  const std::string line = "//  out   " + go + ": out";
  STRCMP_EQUAL((line + "\n//  home  \n").c_str(), table_of({rule(kOut, kGo, State::Out)}).c_str());
  STRCMP_EQUAL((line + ";\n//        come: home\n//  home  \n").c_str(),
               table_of({rule(kOut, kGo, State::Out), rule(kOut, kCome, State::Home)}).c_str());
}
