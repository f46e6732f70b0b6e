#include "control/fifo_framing.h"

namespace pua {

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

void FifoFraming::feed(std::string_view octets, size_t max_request, const Emit& emit) {
  for (char c : octets) step(c, max_request, emit);
}

void FifoFraming::give_up(const Emit& emit) {
  if (partial()) finish(emit);
}

void FifoFraming::begin(State state) {
  state_ = state;
  depth_ = 0;
  in_string_ = escaped_ = line_start_ = false;
  last_ = 0;
}

void FifoFraming::keep(char c, size_t max_request) {
  if (text_.size() <= max_request) text_ += c;
}

void FifoFraming::finish(const Emit& emit) {
  state_ = State::Between;
  emit(name_, text_);
  name_.clear();
  text_.clear();
}

void FifoFraming::step(char c, size_t max_request, const Emit& emit) {
  switch (state_) {
    case State::Between:
      if (is_space(c) || c == '\0') return;
      if (c == ':') return begin(State::Name);
      begin(c == '{' || c == '[' ? State::Document : State::Line);
      break;
    case State::Name:
      if (c == ':') return begin(State::Text);
      if (c == '\n' || name_.size() == kMaxName) {  // no name at all: the line is junk, and there is nobody to answer
        text_.swap(name_);
        name_.clear();
        begin(State::Line);
        break;
      }
      name_ += c;
      return;
    case State::Text:
      if (c != '\n' && is_space(c)) return;
      begin(c == '{' || c == '[' ? State::Document : State::Line);
      break;
    case State::Line:
    case State::Document: break;
  }
  if (state_ == State::Document) return step_document(c, max_request, emit);
  if (c == '\n') return finish(emit);
  keep(c, max_request);
}

void FifoFraming::step_document(char c, size_t max_request, const Emit& emit) {
  if (in_string_) {
    if (c == '\n') return finish(emit);
    keep(c, max_request);
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
      last_ = c;
    }
    return;
  }
  if (c == ':' && line_start_ && last_ != '"') {  // no JSON line begins so: the next request
    finish(emit);
    return begin(State::Name);
  }
  if (c == '{' && depth_ > 0 && last_ != ',' && last_ != ':' && last_ != '[') {  // no JSON goes on so: the next request
    finish(emit);
    begin(State::Document);
  }
  keep(c, max_request);
  if (c == '\n') {
    line_start_ = true;
  } else if (!is_space(c)) {
    line_start_ = false;
    last_ = c;
  }
  if (c == '"') {
    in_string_ = true;
  } else if (c == '{' || c == '[') {
    depth_++;
  } else if ((c == '}' || c == ']') && --depth_ == 0) {
    finish(emit);
  }
}

}  // namespace pua
