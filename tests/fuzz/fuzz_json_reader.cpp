// Fuzz: the quick reader of JSON beside jansson. Whatever the quick one takes, jansson takes too, and both read the same
// values. First octet: whether the octets behind it are the text itself, or each the number of a word of one: that way most
// of them are nearly JSON.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "control/json_reader.h"
#include "control/quick_json.h"
#include "tests/control/json_text.h"

using namespace pua;

static constexpr std::string_view kWords[] = {
    "{", "}", "[", "]", ",", ":", "\"", "{\"a\":", "\"a\":", "\"b\":", ",\"a\":", ",\"b\":", "\"\"", "\"text\"", "\"\\n\"", "\\",
    "\"\\u0041\"", "\"\\u0000\"", "\"\\u00e9\"", "\"\\ud83d\\ude00\"", "\"\\ud83d\"", "\"\\u007F\"", "\"\xc3\xa9\"", "\"\xe2\x82\xac\"",
    "\"\xf0\x9f\x98\x80\"", "\xff", "\xc0\x80", "\xed\xa0\x80", "\x01", "\x7f", "0", "-0", "1", "-1", "01", "1.5", "1e3", "2E-1",
    "9223372036854775807", "9223372036854775808", "999999999999999999", "-", "true", "false", "null", "nul", "True", " ", "\n", "\r\t", "x",
    "12345678", "\\u", "\\/", "\\\"", "[1,2]", "{}", "[]"};

static std::string of_words(std::string_view numbers) {
  std::string text;
  for (char c : numbers) text += kWords[static_cast<unsigned char>(c) % std::size(kWords)];
  return text;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static JsonDocument quick, slow;  // kept: used again and again, as in a server
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string text = data[0] & 0x80 ? of_words(rest) : std::string(rest);
  Status s = parse_json(text, slow);
  if (s && json_text(slow.root()).empty()) abort();
  if (!read_quick_json(text, quick)) return 0;
  if (!s || json_text(quick.root()) != json_text(slow.root())) {
    fprintf(stderr, "text:    %s\nquick:   %s\njansson: %s\n", text.c_str(), json_text(quick.root()).c_str(),
            s ? json_text(slow.root()).c_str() : s.error().message.c_str());
    abort();
  }
  return 0;
}
