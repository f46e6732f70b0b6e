// A JSON text that was read: its values one behind the other, each container before what it holds. Strings are views.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct json_t;

namespace pua {

// A value of a document. What it holds stands right behind it, so it can tell where the next value is.
struct JsonValue {
  enum class Kind : uint8_t { Null, True, False, Integer, Real, String, Array, Object };

  Kind kind = Kind::Null;
  uint32_t all = 1;              // values from here on that belong to it, itself counted
  uint32_t size = 0;             // Array, Object: how many it holds
  std::string_view name = {};    // of a member of an object
  std::string_view text = {};    // String: without quotes and escapes; Real (integers beyond 64 bits among them): as JSON
  int64_t number = 0;            // Integer

  bool is(Kind k) const { return kind == k; }
  const JsonValue* first() const { return this + 1; }          // if size > 0
  const JsonValue* next() const { return this + all; }         // behind it, if there is one
  // nullptr: it has none, or this is no object.
  const JsonValue* member(std::string_view wanted) const {
    if (kind != Kind::Object) return nullptr;
    const JsonValue* v = first();
    for (uint32_t i = 0; i < size; i++, v = v->next()) {
      if (v->name == wanted) return v;
    }
    return nullptr;
  }
};

// Keeps its memory for the next text, within bounds.
class JsonDocument {
 public:
  JsonDocument();
  ~JsonDocument();
  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;

  const JsonValue& root() const { return values.front(); }   // of a text that was read
  void clear();

  std::vector<JsonValue> values;
  std::string unescaped;         // of strings with escapes; never grows while a text is read
  std::deque<std::string> reals; // as JSON
  struct Free {
    void operator()(json_t*) const;
  };
  std::unique_ptr<json_t, Free> tree;  // jansson's, where it read the text: strings are views of it
};

}  // namespace pua
