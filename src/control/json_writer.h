// JsonWriter: writes JSON text front to back into a string, always valid JSON and valid UTF-8 whatever goes in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pua {

// Appends `text` as a JSON string with its quotes. Octets that are not UTF-8 become U+FFFD: SIP reason phrases, header
// values and bodies come from the network. Characters that would play with a terminal are escaped (base/utf8.h).
void append_json_string(std::string& out, std::string_view text);

// Objects and arrays are opened and closed by the caller in pairs; commas are put in by the writer.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(int64_t number);
  JsonWriter& value(bool flag);
  // A document as the member "body"; or as "body_base64" (RFC 4648) where a string could not carry each of its octets (it is no
  // UTF-8, or holds a NUL, which readers of JSON refuse).
  JsonWriter& body(std::string_view document);
  JsonWriter& raw(std::string_view json);  // json: one complete value, taken as it is

  template <class T>
  JsonWriter& member(std::string_view name, T v) {
    key(name);
    return value(v);
  }
  JsonWriter& member(std::string_view name, const std::string& v) { return member(name, std::string_view(v)); }
  JsonWriter& member(std::string_view name, int32_t v) { return member(name, static_cast<int64_t>(v)); }
  JsonWriter& member(std::string_view name, uint32_t v) { return member(name, static_cast<int64_t>(v)); }

 private:
  JsonWriter& open(char c);
  JsonWriter& close(char c);
  void comma();

  std::string& out_;
  bool first_ = true;  // nothing stands before the next item on this level
};

}  // namespace pua
