#include "control/dispatcher.h"

#include <memory>
#include <utility>

#include "control/commands.h"
#include "control/json_reader.h"
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

using Json = JsonValue::Kind;

}  // namespace

// The id as JSON text; empty: there is none. false: of a kind that no id may have (JSON-RPC 2.0 section 4).
static bool read_id(const JsonValue* id, std::string& out) {
  if (id == nullptr) return true;
  switch (id->kind) {
    case Json::String: append_json_string(out, id->text); return true;
    case Json::Integer: out = std::to_string(id->number); return true;
    case Json::Null: out = "null"; return true;
    case Json::Real: out = id->text; return true;
    default: return false;
  }
}

static bool is_string(const JsonValue* v) { return v != nullptr && v->is(Json::String); }

// What is wrong with the frame of a request, or nullptr.
static const char* frame_error(const JsonValue& request) {
  if (!request.is(Json::Object)) return "Invalid Request: not an object";
  const JsonValue* version = request.member("jsonrpc");
  if (!is_string(version) || version->text != "2.0") return "Invalid Request: jsonrpc must be \"2.0\"";
  if (!is_string(request.member("method"))) return "Invalid Request: method must be a string";
  const JsonValue* params = request.member("params");
  if (params != nullptr && !params->is(Json::Object) && !params->is(Json::Array)) {
    return "Invalid Request: params must be an object or an array";
  }
  return nullptr;
}

static void store_reply_name(const JsonValue& document, std::string& out) {
  const bool batch = document.is(Json::Array);
  if (batch && document.size == 0) return;
  const JsonValue* name = (batch ? document.first() : &document)->member("reply_name");
  if (is_string(name)) out.assign(name->text);
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
    const std::string most = std::to_string(context_.max_request);
    reply(error_reply("null", rpc::kInvalidRequest, "Invalid Request: longer than " + most + " octets, which is max_request"));
    return;
  }
  // A reply may bring the next request before this one has ended: that one reads into memory of its own.
  std::unique_ptr<JsonDocument> document = document_ ? std::move(document_) : std::make_unique<JsonDocument>();
  if (Status read = read_json(text, *document); !read) {
    counters.bad_requests++;
    reply(error_reply("null", rpc::kParseError, "Parse error: " + read.error().message));
  } else {
    if (reply_name != nullptr) store_reply_name(document->root(), *reply_name);
    run(document->root(), std::move(reply), caller);
  }
  document->clear();
  document_ = std::move(document);
}

void Dispatcher::run(const JsonValue& document, ReplyFn reply, const Caller& caller) {
  ControlCounters& counters = context_.counters;
  if (!document.is(Json::Array)) return run_one(document, std::move(reply), caller);
  const size_t count = document.size;
  if (count == 0 || count > kMaxBatch) {
    counters.bad_requests++;
    reply(error_reply("null", rpc::kInvalidRequest,
                      count == 0 ? std::string("Invalid Request: empty batch")
                                 : "Invalid Request: batch of more than " + std::to_string(kMaxBatch) + " requests"));
    return;
  }
  auto batch = std::make_shared<Batch>(std::move(reply));
  const JsonValue* request = document.first();
  for (size_t i = 0; i < count; i++, request = request->next()) {
    run_one(*request, [batch](std::string&& answer) { return batch->add(std::move(answer)); }, caller);
  }
}

void Dispatcher::run_one(const JsonValue& request, ReplyFn reply, const Caller& caller) {
  ControlCounters& counters = context_.counters;
  counters.requests++;
  std::string id;
  const char* wrong = frame_error(request);
  if (!read_id(request.member("id"), id) && wrong == nullptr) {
    wrong = "Invalid Request: id must be a string, a number or null";
  }
  if (wrong != nullptr) {
    counters.bad_requests++;
    reply(error_reply(id.empty() ? "null" : id, rpc::kInvalidRequest, wrong));
    return;
  }
  if (id.empty()) counters.notifications++;
  auto call = std::make_shared<Call>(std::move(id), std::move(reply), caller);
  std::string_view name = request.member("method")->text;
  auto found = commands_.find(name);
  if (found == commands_.end()) {
    counters.errors++;
    call->error(rpc::kMethodNotFound, "Method not found: " + std::string(name.substr(0, 64)), known_commands(name));
    return;
  }
  Params params;
  Status fits = params.bind(*found->second, request.member("params"));
  if (!fits) {
    counters.errors++;
    call->error(rpc::kInvalidParams, "Invalid params: " + fits.error().message);
    return;
  }
  found->second->run(context_, params, call);
}

}  // namespace pua
