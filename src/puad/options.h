// Options: the command line of puad.
#pragma once

#include <cstdint>
#include <string>

#include "install_paths.h"   // PUA_SYSCONFDIR: made by the Makefile

namespace pua {

enum class Action : uint8_t { Run, Check, DumpConfig, Version, Help, BadUsage };

struct Options {
  Action action = Action::Run;
  std::string config = PUA_SYSCONFDIR "/pua/pua.conf";
  bool daemon = false;
  bool log_to_stderr = false;  // whatever the configuration says
  std::string mistake;         // of BadUsage, for people
};

Options parse_options(int argc, char** argv);
const char* usage_text();

}  // namespace pua
