// Params: the parameters of one request, fitted to a command's table. Views into the request's JSON.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/command.h"
#include "control/json_document.h"

namespace pua {

class Params {
 public:
  Params() = default;
  Params(const Params&) = delete;
  Params& operator=(const Params&) = delete;

  // json: the request's "params", an object (by name) or an array (by position); nullptr: none.
  // Error bad_argument: the message names the parameter. The JSON must live as long as this.
  Status bind(const CommandSpec&, const JsonValue* json);

  bool has(size_t index) const { return values_[index].present; }
  std::string_view text(size_t index) const { return values_[index].text; }  // empty where left out
  std::vector<std::string_view> strings(size_t index) const;                       // of a Strings; empty where left out
  int64_t number(size_t index, int64_t otherwise) const { return has(index) ? values_[index].number : otherwise; }

 private:
  struct Value {
    bool present = false;
    std::string_view text;
    int64_t number = 0;
    const JsonValue* list = nullptr;   // of a Strings that is an array
    char digits[24];  // text of an integer given for a Scalar
  };
  Status take(const CommandSpec&, size_t index, const JsonValue& json);

  std::array<Value, kMaxParams> values_;
};

}  // namespace pua
