// Call: one request on its way to its answer. Exactly one answer leaves, whatever becomes of the request.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "control/push.h"

namespace pua {

// Carries one reply text (a whole JSON-RPC document, no newline) back to where the request came from, in the loop; not
// called for notifications. It outlives its transport, and then does nothing. false: the text is too large for the way
// back and was not sent; it may be called once more, with a shorter one.
using ReplyFn = std::function<bool(std::string&& text)>;

namespace rpc {  // the codes of JSON-RPC 2.0, section 5.1
constexpr int kParseError = -32700;
constexpr int kInvalidRequest = -32600;
constexpr int kMethodNotFound = -32601;
constexpr int kInvalidParams = -32602;
constexpr int kInternalError = -32603;
constexpr int kTooLarge = -32000;  // ours: the reply does not fit the transport
}  // namespace rpc

// A whole error reply. id_json: the id as JSON, "null" where it is not known. detail: goes to error.data, empty: none.
std::string error_reply(std::string_view id_json, int code, std::string_view message, std::string_view detail = {});

class Call {
 public:
  // id_json: the id as JSON text; empty: a notification, whose answer is thrown away.
  // caller: who asks, for commands that tell it more than the answer.
  Call(std::string id_json, ReplyFn reply, Caller caller = {})
      : id_json_(std::move(id_json)), reply_(std::move(reply)), caller_(std::move(caller)) {}
  ~Call();  // one that nobody answered is answered with an internal error
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // The first answer counts, later ones are ignored. result_json: one complete JSON value.
  void result(std::string_view result_json);
  void error(int code, std::string_view message, std::string_view detail = {});
  bool answered() const { return answered_; }
  const Caller& caller() const { return caller_; }

 private:
  void send(std::string&& text);

  std::string id_json_;
  ReplyFn reply_;
  Caller caller_;
  bool answered_ = false;
};

using CallPtr = std::shared_ptr<Call>;

}  // namespace pua
