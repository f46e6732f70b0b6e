// Dispatcher: JSON-RPC 2.0 text in, reply text out, asynchronously. Knows no transport.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "control/call.h"
#include "control/command.h"
#include "control/context.h"
#include "control/json_document.h"

namespace pua {

class Dispatcher {
 public:
  static constexpr size_t kMaxBatch = 100;  // requests in one array

  explicit Dispatcher(ControlContext& context);

  // text: one request or one batch, of any content and size; not kept. reply is called at most once: with the answer,
  // with one array for a batch once all of it is answered, not at all if everything in it was a notification. It may be
  // called inside this call, or long after (a publish is answered after the final SIP reply).
  // reply_name, if not null: a string member "reply_name" of the request (of the first in a batch) is stored there
  // before anything is answered (Kamailio's FIFO framing).
  // caller: who sent it.
  // Errors are replies too: -32700, -32600 with id null; -32601, -32602 and those of the commands with the request's
  // id.
  void handle(std::string_view text, ReplyFn reply, std::string* reply_name = nullptr, const Caller& caller = {});

  ControlContext& context() { return context_; }

 private:
  void run(const JsonValue& document, ReplyFn reply, const Caller& caller);
  void run_one(const JsonValue& request, ReplyFn reply, const Caller& caller);

  ControlContext& context_;
  std::unordered_map<std::string_view, const CommandSpec*> commands_;
  std::unique_ptr<JsonDocument> document_;  // memory for the next request; null while one is read
};

}  // namespace pua
