// What is made of a machine's list of rules (core/machine.h), and what every list has to keep to.
#pragma once

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/machine.h"

namespace pua::test {

// All that there is to say of one machine.
template <class Rules, class State, class Input>
struct Described {
  Rules rules;
  int states, inputs;
  const char* (*state_name)(State);
  const char* (*input_name)(Input);

  // The table of a header: "//  live     request: gone, intent, queued; due: ...". together: inputs that lead to the same
  // states share an entry. No line is longer than 128 columns, unless a single entry is.
  std::string table(bool together = false) const {
    constexpr size_t kWidth = 128;
    std::string out;
    for (int s = 0; s < states; s++) {
      std::string name = state_name(static_cast<State>(s));
      std::string line = "//  " + name + std::string(name_width() - name.size(), ' ');
      const std::string indent = "//  " + std::string(name_width(), ' ');
      bool first = true;        // in its line
      for (const auto& [input, to] : entries(s, together)) {
        const std::string word = input + ": " + to;
        if (!first && line.size() + 2 + word.size() + 1 > kWidth) {   // a ';' may come behind it
          out += line + ";\n";
          line = indent;
          first = true;
        }
        line += (first ? "" : "; ") + word;
        first = false;
      }
      out += line + "\n";
    }
    return out;
  }

  // The table of a page, a line a rule.
  std::string page() const {
    std::string out = "| state | input | where | next | says |\n|---|---|---|---|---|\n";
    for (const auto& r : rules)
      out += "| " + names(r.from, states, state_name) + " | " + names(r.on, inputs, input_name) + " | " +
             (*r.guard ? r.guard : r.holds ? "?" : "else") + " | " +
             (static_cast<uint8_t>(r.to) == kStay ? "stays" : state_name(r.to)) + " | " + r.source + " |\n";
    return out;
  }

  // Of each state and input: the last rule holds always, so that there is no way through the list without one; and none stands
  // behind it. What is not so, a line each.
  std::string gaps() const {
    std::string out;
    for (int s = 0; s < states; s++) {
      for (int i = 0; i < inputs; i++) {
        bool any = false, closed = false;
        for (const auto& r : rules) {
          if (!is_for(r, static_cast<State>(s), static_cast<Input>(i))) continue;
          any = true;
          if (closed) out += pair(s, i) + ": a rule nobody reaches\n";
          if (!r.holds) closed = true;
        }
        if (any && !closed) out += pair(s, i) + ": no last rule\n";
      }
    }
    return out;
  }

 private:
  std::string pair(int s, int i) const {
    return std::string(state_name(static_cast<State>(s))) + " x " + input_name(static_cast<Input>(i));
  }
  size_t name_width() const {
    size_t longest = 0;
    for (int s = 0; s < states; s++) longest = std::max(longest, std::string(state_name(static_cast<State>(s))).size());
    return longest + 2;
  }
  // Names of inputs, and of the states that they lead to.
  std::vector<std::pair<std::string, std::string>> entries(int s, bool together) const {
    std::vector<std::pair<std::string, std::string>> all;
    for (int i = 0; i < inputs; i++) {
      std::string to = leads_to(s, i), name = input_name(static_cast<Input>(i));
      auto same = std::find_if(all.begin(), all.end(), [&](const auto& e) { return e.second == to; });
      if (to.empty()) continue;
      if (together && same != all.end()) same->first += ", " + name;
      else all.emplace_back(std::move(name), std::move(to));
    }
    return all;
  }
  std::string leads_to(int s, int i) const {
    std::vector<std::string> all;
    for (const auto& r : rules) {
      if (!is_for(r, static_cast<State>(s), static_cast<Input>(i))) continue;
      std::string to = state_name(next_state(static_cast<State>(s), r.to));
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

template <class Rules, class State, class Input>
Described(Rules, int, int, const char* (*)(State), const char* (*)(Input)) -> Described<Rules, State, Input>;

// The text of a header with its part between "BEGIN TABLE" and "END TABLE" made anew; empty where it has none.
inline std::string with_table(const std::string& text, const std::string& table) {
  const std::string begin = "// BEGIN TABLE\n", end = "// END TABLE\n";
  size_t from = text.find(begin), to = text.find(end);
  if (from == text.npos || to == text.npos) return {};
  return text.substr(0, from + begin.size()) + table + text.substr(to);
}

inline std::string read_file(const std::string& path) {
  std::stringstream all;
  all << std::ifstream(path).rdbuf();
  return all.str();
}

// false: there is nothing to write, or it could not be written.
inline bool write_file(const std::string& path, const std::string& text) {
  return !text.empty() && static_cast<bool>(std::ofstream(path) << text << std::flush);
}

}  // namespace pua::test
