// FifoFraming: cuts the octets of a FIFO into requests. Pure: no descriptors, no clock.
//
//   :reply_fifo:{ ... }        OpenSIPS mi_fifo 3.x; the name may be empty: no reply
//   { ... "reply_name": ... }  Kamailio jsonrpcs; the name is a member, found by the dispatcher
//
// A request ends where its JSON document ends (its brackets are closed), with or without a line end after it, and may
// have several lines. What is no document ends with its line. A broken document ends at a line end inside a string (not
// legal in JSON), or where a line begins with ':', so that it does not swallow the request behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace pua {

class FifoFraming {
 public:
  // name: reply FIFO of mi_fifo framing, empty: none given. text: the request, cut after max_request + 1 octets.
  using Emit = std::function<void(std::string_view name, std::string_view text)>;

  // Takes octets; emit is called for each request completed by them.
  void feed(std::string_view octets, size_t max_request, const Emit& emit);
  // Something has begun and not ended.
  bool partial() const { return state_ != State::Between; }
  // Gives up waiting for the rest: what is there is emitted as a (broken) request.
  void give_up(const Emit& emit);

 private:
  enum class State : uint8_t { Between, Name, Text, Line, Document };
  static constexpr size_t kMaxName = 255;  // octets of a file name

  void step(char c, size_t max_request, const Emit& emit);
  void step_document(char c, size_t max_request, const Emit& emit);
  void begin(State state);
  void keep(char c, size_t max_request);
  void finish(const Emit& emit);

  State state_ = State::Between;
  std::string name_, text_;
  uint64_t depth_ = 0;       // open brackets of the document
  bool in_string_ = false;
  bool escaped_ = false;     // the octet before was a backslash inside a string
  bool line_start_ = false;  // only white space so far on this line of the document
  char last_ = 0;            // last octet of the document that is not white space
};

}  // namespace pua
