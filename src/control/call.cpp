#include "control/call.h"

#include "control/json_writer.h"

namespace pua {

std::string error_reply(std::string_view id_json, int code, std::string_view message, std::string_view detail) {
  std::string text;
  text.reserve(96 + message.size() + detail.size());
  JsonWriter w(text);
  w.begin_object().member("jsonrpc", "2.0").key("error").begin_object();
  w.member("code", code).member("message", message);
  if (!detail.empty()) w.member("data", detail);
  w.end_object().key("id").raw(id_json).end_object();
  return text;
}

Call::~Call() {
  if (!answered_) error(rpc::kInternalError, "Internal error: the request was dropped");
}

void Call::result(std::string_view result_json) {
  if (answered_) return;
  answered_ = true;
  if (id_json_.empty()) return;
  std::string text;
  text.reserve(40 + result_json.size() + id_json_.size());
  text += R"({"jsonrpc":"2.0","result":)";
  text += result_json;
  text += R"(,"id":)";
  text += id_json_;
  text += '}';
  send(std::move(text));
}

void Call::error(int code, std::string_view message, std::string_view detail) {
  if (answered_) return;
  answered_ = true;
  if (id_json_.empty()) return;
  send(error_reply(id_json_, code, message, detail));
}

void Call::send(std::string&& text) {
  ReplyFn reply = std::move(reply_);
  reply_ = nullptr;
  if (!reply) return;
  size_t size = text.size();
  if (reply(std::move(text))) return;
  reply(error_reply(id_json_, rpc::kTooLarge, "Reply too large: " + std::to_string(size) + " octets; ask for less"));
}

}  // namespace pua
