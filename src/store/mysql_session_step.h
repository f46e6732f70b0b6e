// What one step of the session works on: shared by what an input says (mysql_session.cpp) and by the rules.
#pragma once

#include <string>
#include <string_view>

#include "store/mysql_session.h"

namespace pua::mysql {

struct Step {
  Fields& f;
  const Event& e;
  MonoMs now;
  Action action = {};
};

// From the writer's line on a statement may be under way that changes the tables.
inline bool may_write(State s) { return s >= State::TakerWait && s <= State::Collided; }
inline std::string where(const Fields& f) { return f.servers.label(f.server); }

// What the session is, is over. left_behind: the server may still carry out what was asked.
void end_session(Fields&, bool left_behind);

}  // namespace pua::mysql
