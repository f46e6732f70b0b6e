// The command table: every command of the control interface, in the order in which `which` lists them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "control/command.h"

namespace pua {

std::span<const CommandSpec* const> all_commands();
// For an error about a name that no command has: where the commands are listed, and which one may have been meant.
std::string known_commands(std::string_view typed);

// commands_publish.cpp
extern const CommandSpec kPuaPublish, kKamailioPublish;
// commands_subscribe.cpp
extern const CommandSpec kPuaSubscribe, kKamailioSubscribe, kPuaUnsubscribe, kKamailioUnsubscribe;
// commands_watch.cpp
extern const CommandSpec kPuaWatch, kPuaUnwatch;
// commands_records.cpp
extern const CommandSpec kPuaList, kPuaShow;
// commands_statistics.cpp
extern const CommandSpec kGetStatistics, kKamailioStatistics, kListStatistics, kResetStatistics;
// commands_admin.cpp
extern const CommandSpec kPuaStats, kPuaFlush, kPuaReload, kLogLevel, kVersion, kUptime;
// commands_help.cpp
extern const CommandSpec kWhich, kHelp;

}  // namespace pua
