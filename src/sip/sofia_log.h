// What sofia writes goes to our Log, and nowhere else: its serious messages as warnings, its debug text on level debug. However
// much it is, only so many lines a second pass. Sofia has one log for the whole process; the text of a stack is written by the
// thread that runs it, so each thread has its own receiver: the newest scope made on it.
#pragma once

#include <string>

namespace pua {

class Log;
class LogGate;

// From now on nothing of sofia's goes to stderr; where there is no scope it goes nowhere.
void sofia_log_install();

// A line of this room into the log of the thread's newest scope, where no log is at hand; the gate says how many.
void sofia_warning(const std::string& line, LogGate&);
void sofia_notice(const std::string& line, LogGate&);

class SofiaLogScope {
 public:
  // log must outlive the scope. Create and destroy on the loop thread, in any order with other scopes.
  explicit SofiaLogScope(Log& log);
  ~SofiaLogScope();
  SofiaLogScope(const SofiaLogScope&) = delete;
  SofiaLogScope& operator=(const SofiaLogScope&) = delete;

  // Takes over the level that the Log has now: debug lets sofia say much, anything else only what it finds serious.
  void follow_level();

 private:
  Log& log_;
};

}  // namespace pua
