// Sofia's debug text goes to our Log. Sofia has one log for the whole process; the text of a stack is written by the
// thread that runs it, so each thread has its own receiver: the newest scope made on it.
#pragma once

namespace pua {

class Log;

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
