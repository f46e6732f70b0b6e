// Nearest: finds the known name that somebody has probably meant who mistyped one.
#pragma once

#include <string>
#include <string_view>

namespace pua {

class Nearest {
 public:
  explicit Nearest(std::string_view typed);
  void offer(std::string_view name);   // must live as long as this
  std::string_view name() const { return name_; }   // empty: none is near
  // "did you mean \"...\"?", and the same as " (...)". Empty: none is near. front: what stands before each name, "--" for one.
  std::string question(std::string_view front = {}) const;
  std::string suggestion(std::string_view front = {}) const;

 private:
  std::string_view typed_, name_;
  size_t best_;
};

}  // namespace pua
