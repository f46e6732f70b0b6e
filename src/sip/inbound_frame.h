// Framing of a stream: where a message ends (RFC 3261 section 18.3), keep-alives between messages (RFC 5626 section 4.4.1).
// Pure: sees octets, and remembers how far it has looked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pua {

// The header lines of a message head, one after the other, folded ones as one. Lines may end in LF alone.
class HeadLines {
 public:
  // head: start line, header lines, empty line.
  explicit HeadLines(std::string_view head);
  struct Line {
    std::string_view text;   // as it stands, with its line ends
    std::string_view name;   // without white space behind it; empty: there is no colon
    std::string_view value;  // without white space around it
  };
  bool next(Line& out);  // false: that was all

 private:
  std::string_view rest_;
};
// Is that the name of the field, long or compact? Names are compared without case.
bool names(std::string_view name, std::string_view full, char compact = 0);

class Framing {
 public:
  enum class Kind : uint8_t {
    More,     // nothing whole yet
    Skip,     // `length` octets that mean nothing: a line end before a message
    Ping,     // the second of two line ends, `length` octets: to be answered with one
    Message,  // `length` octets
    Long,     // the head, `length` octets, is whole; its body, `body` octets, is longer than is taken: skip_body(), or the end
    Refuse,   // the head, `length` octets, is whole, and does not say where the message ends: `status`, `reason`, then the end
    Endless,  // longer than is taken, and not even the head is whole
    NotSip,
  };
  struct Found {
    Kind kind = Kind::More;
    size_t length = 0;
    int status = 0;
    const char* reason = "";
    size_t body = 0;
  };

  // most: octets of a message.
  explicit Framing(size_t most) : most_(most) {}

  // in: begins where what was found last ended; after More it is the same octets and perhaps more. Not called again after
  // Refuse, Endless, NotSip; after Long only where its body is skipped.
  Found next(std::string_view in);
  // After Long: so many octets mean nothing.
  void skip_body(size_t octets) { skip_ = octets; }
  // Octets of a message that are taken, from the next head on.
  void most(size_t octets) { most_ = octets; }
  // Has a message begun that is not whole?
  bool begun() const { return scan_ > 0 || skip_ > 0; }
  // And is its head whole?
  bool headed() const { return head_ > 0; }

 private:
  Found line_end(std::string_view in);
  bool find_head(std::string_view in, Found& out);
  Found measured(std::string_view in);

  size_t most_;
  size_t scan_ = 0;    // looked at so far
  size_t line_ = 0;    // where the line that is not whole yet begins
  size_t head_ = 0;    // octets of the head, 0: not known yet
  size_t total_ = 0;   // octets of the message, 0: not known yet
  size_t skip_ = 0;    // octets of a body that are still to come, and mean nothing
  bool half_ping_ = false;
};

}  // namespace pua
