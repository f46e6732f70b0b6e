#include "control/dispatcher.h"

#include <jansson.h>

#include <cstdlib>
#include <memory>
#include <utility>

#include "control/commands.h"
#include "control/json_writer.h"
#include "control/params.h"

namespace pua {

namespace {

// Collects the answers of a batch. Each open request holds a reference through its reply function; when the last one
// lets go, everything is answered and the array leaves.
class Batch {
 public:
  explicit Batch(ReplyFn reply) : reply_(std::move(reply)) {}
  ~Batch() {
    if (text_.empty()) return;  // notifications only
    text_ += ']';
    reply_(std::move(text_));
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  bool add(std::string&& answer) {
    if (text_.size() + answer.size() > kMaxAnswer && answer.size() > kAlwaysFits) return false;
    text_ += text_.empty() ? '[' : ',';
    text_ += answer;
    return true;
  }

 private:
  static constexpr size_t kMaxAnswer = 128 * 1024;  // octets: with kMaxBatch errors more, still one datagram
  static constexpr size_t kAlwaysFits = 512;
  ReplyFn reply_;
  std::string text_;
};

struct JsonFree {
  void operator()(json_t* j) const { json_decref(j); }
};
using Json = std::unique_ptr<json_t, JsonFree>;

}  // namespace

// The id as JSON text; empty: there is none. false: of a kind that no id may have (JSON-RPC 2.0 section 4).
static bool read_id(const json_t* id, std::string& out) {
  if (id == nullptr) return true;
  switch (json_typeof(id)) {
    case JSON_STRING:
      append_json_string(out, std::string_view(json_string_value(id), json_string_length(id)));
      return true;
    case JSON_INTEGER: out = std::to_string(json_integer_value(id)); return true;
    case JSON_NULL: out = "null"; return true;
    case JSON_REAL: {
      char* text = json_dumps(id, JSON_ENCODE_ANY);
      if (text == nullptr) return false;
      out = text;
      free(text);
      return true;
    }
    default: return false;
  }
}

static const json_t* member(const json_t* object, const char* name) { return json_object_get(object, name); }

// What is wrong with the frame of a request, or nullptr.
static const char* frame_error(const json_t* request) {
  if (!json_is_object(request)) return "Invalid Request: not an object";
  const json_t* version = member(request, "jsonrpc");
  if (!json_is_string(version) || std::string_view(json_string_value(version)) != "2.0") {
    return "Invalid Request: jsonrpc must be \"2.0\"";
  }
  if (!json_is_string(member(request, "method"))) return "Invalid Request: method must be a string";
  const json_t* params = member(request, "params");
  if (params != nullptr && !json_is_object(params) && !json_is_array(params)) {
    return "Invalid Request: params must be an object or an array";
  }
  return nullptr;
}

static void store_reply_name(const json_t* document, std::string& out) {
  const json_t* request = json_is_array(document) ? json_array_get(document, 0) : document;
  const json_t* name = json_object_get(request, "reply_name");
  if (json_is_string(name)) out.assign(json_string_value(name), json_string_length(name));
}

Dispatcher::Dispatcher(ControlContext& context) : context_(context) {
  for (const CommandSpec* command : all_commands()) {
    commands_.emplace(command->name, command);
    if (command->other_name != nullptr) commands_.emplace(command->other_name, command);
  }
}

void Dispatcher::handle(std::string_view text, ReplyFn reply, std::string* reply_name, const Caller& caller) {
  ControlCounters& counters = context_.counters;
  if (text.size() > context_.max_request) {
    counters.too_large++;
    reply(error_reply("null", rpc::kInvalidRequest,
                      "Invalid Request: longer than " + std::to_string(context_.max_request) + " octets"));
    return;
  }
  json_error_t error;
  Json document(json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error));
  if (!document) {
    counters.bad_requests++;
    reply(error_reply("null", rpc::kParseError,
                      "Parse error: line " + std::to_string(error.line) + ", column " + std::to_string(error.column) +
                          ": " + error.text));
    return;
  }
  if (reply_name != nullptr) store_reply_name(document.get(), *reply_name);
  if (!json_is_array(document.get())) {
    run_one(document.get(), std::move(reply), caller);
    return;
  }
  size_t count = json_array_size(document.get());
  if (count == 0 || count > kMaxBatch) {
    counters.bad_requests++;
    reply(error_reply("null", rpc::kInvalidRequest,
                      count == 0 ? std::string("Invalid Request: empty batch")
                                 : "Invalid Request: batch of more than " + std::to_string(kMaxBatch) + " requests"));
    return;
  }
  auto batch = std::make_shared<Batch>(std::move(reply));
  for (size_t i = 0; i < count; i++) {
    run_one(json_array_get(document.get(), i), [batch](std::string&& answer) { return batch->add(std::move(answer)); },
            caller);
  }
}

void Dispatcher::run_one(const json_t* request, ReplyFn reply, const Caller& caller) {
  ControlCounters& counters = context_.counters;
  counters.requests++;
  std::string id;
  const char* wrong = frame_error(request);
  if (!read_id(member(request, "id"), id) && wrong == nullptr) {
    wrong = "Invalid Request: id must be a string, a number or null";
  }
  if (wrong != nullptr) {
    counters.bad_requests++;
    reply(error_reply(id.empty() ? "null" : id, rpc::kInvalidRequest, wrong));
    return;
  }
  if (id.empty()) counters.notifications++;
  auto call = std::make_shared<Call>(std::move(id), std::move(reply), caller);
  const json_t* method = member(request, "method");
  std::string_view name(json_string_value(method), json_string_length(method));
  auto found = commands_.find(name);
  if (found == commands_.end()) {
    counters.errors++;
    call->error(rpc::kMethodNotFound, "Method not found: " + std::string(name.substr(0, 64)));
    return;
  }
  Params params;
  Status fits = params.bind(*found->second, member(request, "params"));
  if (!fits) {
    counters.errors++;
    call->error(rpc::kInvalidParams, "Invalid params: " + fits.error().message);
    return;
  }
  found->second->run(context_, params, call);
}

}  // namespace pua
