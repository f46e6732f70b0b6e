// Arguments: the command line of puactl, read into a request for the daemon.
#pragma once

#include <cstdint>
#include <string>

#include "puactl/commands.h"
#include "puactl/json.h"

namespace puactl {

struct Invocation {
  std::string socket = "/run/puad/puad.sock";
  bool json = false;        // also known where there is a mistake
  std::string command;      // empty: help for all
  int timeout_s = 40;       // longer than a SIP transaction takes to fail
  std::string method;
  Json params;              // object
  Show show = Show::Fields;
  std::string raw;          // the request as given, for Show::Raw
  int64_t limit = 100;      // of Show::Records: how many; < 0: all
  bool all = false, limited = false;  // which of the two was said
  bool wide = false;        // of Show::Records: all columns
  bool watch = false;       // subscribe: show NOTIFYs as they come
  bool end_on_exit = false; // and end the subscription when interrupted
};

enum class Parsed : uint8_t { Run, Help, Version, Mistake };

// Mistake: what is wrong stands in `mistake`, for people.
Parsed parse_arguments(int argc, char** argv, Invocation& out, std::string& mistake);

}  // namespace puactl
