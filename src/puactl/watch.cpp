#include "puactl/watch.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <initializer_list>
#include <string>

#include "puactl/exit_status.h"
#include "puactl/print.h"

namespace puactl {

namespace {

constexpr int kTickMs = 1000;    // between two looks after the daemon, while nothing comes
constexpr int kLookTimeout = 2;  // s, for its answer then
constexpr int kTicksPerCheck = 5;  // looks after which the record is looked for, too

volatile sig_atomic_t g_stop = 0;

void on_signal(int) { g_stop = 1; }

class Watch {
 public:
  Watch(const Invocation& in, Client& client, const Report& report) : in_(in), client_(client), report_(report) {}
  int run();

 private:
  enum class Step : uint8_t { GoOn, Ended, EndedByOther, Failed, Lost };
  int ask(const char* method, json_t* params, Json& reply);
  Json copy_of(std::initializer_list<const char*> names) const;
  int begin();
  Step loop();
  Step take(const json_t* message);
  Step look_after();
  Step show_last(const json_t* record);
  bool show(const json_t* params);
  void show_end();
  bool is_ours(const json_t* record) const;
  enum class There : uint8_t { Yes, No, Unknown };
  There record(Json& shown);
  int finish(Step last);

  const Invocation& in_;
  Client& client_;
  const Report& report_;
  int ticks_ = 0;
  bool catch_up_ = false;                         // NOTIFYs may have come that were not passed on to us
  bool away_ = false;                             // the daemon was not reached last time
  std::chrono::steady_clock::time_point away_since_;
  sigset_t let_through_;
};

std::string text_of(const json_t* object, const char* name) {
  const char* text = json_string_value(json_object_get(object, name));
  return text != nullptr ? text : "";
}

// Those of our parameters that are named, where they are given.
Json Watch::copy_of(std::initializer_list<const char*> names) const {
  Json out(json_object());
  for (const char* name : names) {
    if (json_t* value = json_object_get(in_.params.get(), name)) json_object_set(out.get(), name, value);
  }
  return out;
}

// Calls a method. Returns the exit status that its outcome would mean; what is wrong is printed.
int Watch::ask(const char* method, json_t* params, Json& reply) {
  Reach reach = client_.call(method, params, reply);
  if (reach != Reach::Answered) return report_.failure(reach == Reach::TimedOut ? kTimeout : kUnreachable, client_.why());
  const json_t* error = json_object_get(reply.get(), "error");
  return error == nullptr ? kGood : report_.failure(error);
}

// The watch first: a NOTIFY may come before the SUBSCRIBE is answered.
int Watch::begin() {
  Json watch = copy_of({"presentity_uri", "event", "watcher_uri"}), reply;
  if (int status = ask("pua_watch", watch.get(), reply); status != kGood) return status;
  if (int status = ask(in_.method.c_str(), in_.params.get(), reply); status != kGood) return status;
  const json_t* result = json_object_get(reply.get(), "result");
  fputs((in_.json ? json_line(result) + "\n" : for_people(Show::Reply, result, false)).c_str(), stdout);
  return fflush(stdout) == 0 ? kGood : kError;
}

bool Watch::is_ours(const json_t* record) const {
  const json_t* id = json_object_get(in_.params.get(), "id");
  return text_of(record, "watcher_uri") == text_of(in_.params.get(), "watcher_uri") &&
         text_of(record, "pres_id") == (id != nullptr ? json_string_value(id) : "");
}

bool Watch::show(const json_t* params) {
  std::string text = notify_text(params, in_.json, isatty(STDOUT_FILENO) == 0);
  fwrite(text.data(), 1, text.size(), stdout);
  return fflush(stdout) == 0;
}

// The record as pua_show has it. No: there is none, or it is on its way out. Unknown: also while the daemon loads its table.
Watch::There Watch::record(Json& shown) {
  Json params = copy_of({"presentity_uri", "event"});
  json_object_set_new(params.get(), "kind", json_string("subscription"));
  client_.set_timeout(kLookTimeout);
  if (client_.call("pua_show", params.get(), shown) != Reach::Answered) return There::Unknown;
  if (const json_t* error = json_object_get(shown.get(), "error")) {
    return json_integer_value(json_object_get(error, "code")) == 404 ? There::No : There::Unknown;
  }
  const json_t* records = json_object_get(json_object_get(shown.get(), "result"), "records");
  for (size_t i = 0; i < json_array_size(records); i++) {
    json_t* r = json_array_get(records, i);
    if (!is_ours(r)) continue;
    std::string state = text_of(r, "state");
    if (state == "gone" || state == "ending") return There::No;
    json_incref(r);
    shown.reset(r);
    return There::Yes;
  }
  return json_is_true(json_object_get(json_object_get(shown.get(), "result"), "loading")) ? There::Unknown : There::No;
}

Watch::Step Watch::take(const json_t* message) {
  const json_t* params = json_object_get(message, "params");
  if (text_of(message, "method") != "pua_notify" || !is_ours(params)) return Step::GoOn;
  if (!show(params)) return Step::Failed;
  if (text_of(params, "state") != "terminated") return Step::GoOn;
  // After these the library does not subscribe again (RFC 6665 section 4.1.3); after the others it may.
  std::string reason = text_of(params, "reason");
  if (reason == "rejected" || reason == "noresource" || reason == "invariant") return Step::EndedByOther;
  Json shown;
  return record(shown) == There::No ? Step::Ended : Step::GoOn;
}

// Nothing came for a while: is the daemon there, does it still know us, and the subscription?
Watch::Step Watch::look_after() {
  Json watch = copy_of({"presentity_uri", "event", "watcher_uri"}), reply;
  client_.set_timeout(kLookTimeout);
  auto now = std::chrono::steady_clock::now();
  if (client_.call("pua_watch", watch.get(), reply) != Reach::Answered) {
    if (!away_) {
      report_.note(client_.why() + "; trying again");
      away_since_ = now;
    }
    away_ = true;
    return now - away_since_ > std::chrono::seconds(in_.timeout_s) ? Step::Lost : Step::GoOn;
  }
  if (json_is_true(json_object_get(json_object_get(reply.get(), "result"), "new"))) catch_up_ = true;
  if (away_) report_.note("the daemon is back");
  away_ = false;
  if (!catch_up_ && ++ticks_ % kTicksPerCheck != 0) return Step::GoOn;
  Json shown;
  There there = record(shown);
  if (there == There::No) return Step::Ended;
  if (there == There::Unknown || !catch_up_) return Step::GoOn;
  catch_up_ = false;
  return show_last(shown.get());
}

// Shows the last NOTIFY of a record, if it has come while none were passed on to us.
Watch::Step Watch::show_last(const json_t* record) {
  if (json_integer_value(json_object_get(record, "notify_ago_ms")) < 0) return Step::GoOn;
  static constexpr const char* kNames[][2] = {{"presentity_uri", "presentity_uri"}, {"watcher_uri", "watcher_uri"},
                                              {"event", "event"},                   {"pres_id", "pres_id"},
                                              {"call_id", "call_id"},               {"notify_state", "state"},
                                              {"notify_reason", "reason"},          {"content_type", "content_type"},
                                              {"body", "body"},
                                              {"body_base64", "body_base64"}};
  Json last(json_object());
  for (auto& [from, to] : kNames) {
    json_t* value = json_object_get(record, from);
    if (json_string_length(value) > 0) json_object_set(last.get(), to, value);
  }
  return show(last.get()) ? Step::GoOn : Step::Failed;
}

Watch::Step Watch::loop() {
  for (;;) {
    if (g_stop != 0) return Step::GoOn;
    Json message;
    bool came = client_.next_message(kTickMs, let_through_, message) == Reach::Answered;
    if (g_stop != 0 && !came) return Step::GoOn;
    Step step = came ? take(message.get()) : look_after();
    if (step != Step::GoOn) return step;
  }
}

// The NOTIFY that ends it comes after the reply, if at all.
void Watch::show_end() {
  Json message;
  while (client_.next_message(kTickMs, let_through_, message) == Reach::Answered) {
    const json_t* params = json_object_get(message.get(), "params");
    if (!is_ours(params)) continue;
    show(params);
    if (text_of(params, "state") == "terminated") return;
  }
}

int Watch::finish(Step last) {
  client_.set_timeout(in_.timeout_s);
  Json reply;
  int status = kGood;
  switch (last) {
    case Step::GoOn:  // interrupted
      if (in_.end_on_exit) {
        Json params = copy_of({"presentity_uri", "event", "watcher_uri", "id", "to_uri"});
        status = ask("pua_unsubscribe", params.get(), reply);
        if (status == kGood) show_end();
      }
      break;
    case Step::Ended: report_.note("the subscription has ended"); break;
    case Step::EndedByOther:
      report_.note("the other side ended the subscription");
      status = kEnded;
      break;
    case Step::Failed: status = kError; break;
    case Step::Lost: return kUnreachable;
  }
  Json none(json_object());
  client_.set_timeout(kLookTimeout);
  client_.call("pua_unwatch", none.get(), reply);  // where it fails, the daemon finds out by itself
  return status;
}

int Watch::run() {
  if (int status = begin(); status != kGood) return status;
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGINT);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &let_through_);
  struct sigaction action{};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return finish(loop());
}

}  // namespace

int run_watch(const Invocation& in, Client& client, const Report& report) { return Watch(in, client, report).run(); }

}  // namespace puactl
