#include "tests/core/machine_tables.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "core/publication.h"
#include "core/subscription.h"

namespace pua::test {

namespace {

constexpr size_t kWidth = 128;

// What there is to say of one machine.
template <class Rules, class State, class Input>
struct Described {
  Rules rules;
  int states, inputs;
  const char* (*state_name)(State);
  const char* (*input_name)(Input);

  std::string next(int from, const auto& rule) const {
    return state_name(next_state(static_cast<State>(from), rule.to));
  }

  // "// live     request: gone, intent, queued; due: ..."
  std::string table() const {
    std::string out;
    for (int s = 0; s < states; s++) {
      std::string name = state_name(static_cast<State>(s));
      std::string line = "//  " + name + std::string(9 - name.size(), ' ');
      const std::string indent = "//  " + std::string(9, ' ');
      bool first = true;
      for (int i = 0; i < inputs; i++) {
        std::string word = leads_to(s, i);
        if (word.empty()) continue;
        word = (first ? "" : "; ") + std::string(input_name(static_cast<Input>(i))) + ": " + word;
        first = false;
        if (line.size() + word.size() > kWidth) {
          out += line + ";\n";
          line = indent;
          word = word.substr(2);
        }
        line += word;
      }
      out += line + "\n";
    }
    return out;
  }

  std::string page() const {
    std::string out = "| state | input | where | next | says |\n|---|---|---|---|---|\n";
    for (const auto& r : rules)
      out += "| " + names(r.from, states, state_name) + " | " + names(r.on, inputs, input_name) + " | " + (*r.guard ? r.guard : r.holds ? "?" : "else") + " | " +
             (static_cast<uint8_t>(r.to) == kStay ? "stays" : state_name(r.to)) + " | " + r.source + " |\n";
    return out;
  }

 private:
  std::string leads_to(int s, int i) const {
    std::vector<std::string> all;
    for (const auto& r : rules) {
      if (!is_for(r, static_cast<State>(s), static_cast<Input>(i))) continue;
      std::string to = next(s, r);
      if (std::find(all.begin(), all.end(), to) == all.end()) all.push_back(to);
    }
    std::string out;
    for (const std::string& to : all) out += (out.empty() ? "" : ", ") + to;
    return out;
  }
  template <class T>
  static std::string names(uint32_t set, int count, const char* (*name)(T)) {
    std::string out;
    for (int i = 0; i < count; i++)
      if (set >> i & 1) out += (out.empty() ? "" : ", ") + std::string(name(static_cast<T>(i)));
    return out;
  }
};

auto publication() { return Described{publication_rules(), kStates, kInputs, state_name, input_name}; }
auto subscription() { return Described{sub::subscription_rules(), sub::kStates, sub::kInputs, sub::state_name, sub::input_name}; }

std::string with_table(const std::string& text, const std::string& table) {
  const std::string begin = "// BEGIN TABLE\n", end = "// END TABLE\n";
  size_t from = text.find(begin), to = text.find(end);
  if (from == text.npos || to == text.npos) return {};
  return text.substr(0, from + begin.size()) + table + text.substr(to);
}

std::string read(const std::string& path) {
  std::stringstream all;
  all << std::ifstream(path).rdbuf();
  return all.str();
}

bool write(const std::string& path, const std::string& text) {
  return !text.empty() && static_cast<bool>(std::ofstream(path) << text << std::flush);
}

}  // namespace

std::string with_publication_table(const std::string& header) { return with_table(header, publication().table()); }
std::string with_subscription_table(const std::string& header) { return with_table(header, subscription().table()); }

std::string machines_page() {
  return "# Machines\n"
         "How publications and subscriptions change, rule by rule. This page is made from the lists in `src/core/publication.cpp` and\n"
         "`src/core/subscription_rules.cpp` by `build/release/tests/core/unit --write-machines .`, and a test compares it with them.\n\n"
         "A step looks at the rules for its state and its input in the order of the page, and takes the first one whose condition (\"where\")\n"
         "holds; \"else\" holds always. \"Next\" is the state after the step. What an input says by itself (what is wanted, what was granted, that\n"
         "a dialog was made) stands in the fields by then. \"Says\" names the section that asks for a rule; where it is empty the rule is ours.\n\n"
         "Nothing but `step()` and the actions of its rules changes the fields: an assignment anywhere else does not compile\n"
         "([proofs.md](proofs.md#an-assignment-that-does-not-compile) shows what the compiler says).\n\n"
         "## Publications (RFC 3903)\n\n" +
         publication().page() + "\n## Subscriptions (RFC 6665)\n\n" + subscription().page();
}

bool write_machine_tables(const std::string& root) {
  const std::string p = root + "/src/core/publication.h", s = root + "/src/core/subscription.h";
  return write(p, with_publication_table(read(p))) && write(s, with_subscription_table(read(s))) && write(root + "/docs/machines.md", machines_page());
}

}  // namespace pua::test
