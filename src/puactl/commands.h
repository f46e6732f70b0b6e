// Commands: what puactl can do, with which options, and its help, made from the same lists.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace puactl {

// How the answer is shown.
enum class Show : uint8_t { Reply, Records, Details, Counters, Fields, Names, Raw };

struct Command {
  const char* name;
  const char* method;
  Show show;
  const char* operand;        // name of the parameter that the operand becomes, or nullptr: none is taken
  const char* operand_shown;  // "URI"; empty: none is taken
  bool operand_needed;
  const char* needed;         // options that must be there
  const char* options;        // letters of all that this command takes besides kEverywhere
  const char* help;
};

struct Option {
  const char* name;
  const char* value;          // as the help shows it, nullptr: none
  int letter;                 // internal, but for those that have a short form
  const char* parameter;      // of the request, which takes the value as it is; nullptr: it means something else
  const char* help;
};

constexpr const char* kEverywhere = "sjTh";  // options that may stand before and after any command

std::span<const Command> all_commands();
std::span<const Option> all_options();
const Command* find_command(std::string_view name);   // nullptr: there is none
const Option& option_of(int letter);                  // of those there are

// What `puactl help COMMAND` shows; command empty: the list of all.
std::string help_text(std::string_view command);

}  // namespace puactl
