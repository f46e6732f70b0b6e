// puactl: command line client of puad.
#include <algorithm>
#include <cstdio>

#include "pua/pua.h"
#include "puactl/arguments.h"
#include "puactl/client.h"
#include "puactl/exit_status.h"
#include "puactl/print.h"
#include "puactl/text.h"
#include "puactl/watch.h"

using namespace puactl;

namespace {

constexpr int64_t kPage = 200;  // records asked for at a time

}  // namespace

static int not_answered(Reach reach, const Client& client) {
  fprintf(stderr, "puactl: %s\n", client.why().c_str());
  return reach == Reach::TimedOut ? kTimeout : kUnreachable;
}

// Prints an error reply, if it is one.
static bool is_error(const json_t* reply) {
  const json_t* error = json_object_get(reply, "error");
  if (error == nullptr) return false;
  fprintf(stderr, "puactl: %s\n", error_line(error).c_str());
  return true;
}

static void show(const Invocation& in, const json_t* result, bool more) {
  std::string text = in.json ? json_line(result) + "\n" : for_people(in.show, result, more);
  fputs(text.c_str(), stdout);
}

// Page after page until there are as many as wanted, or no more.
static int run_list(const Invocation& in, Client& client) {
  Json records(json_array());
  int64_t cursor = 0;
  bool loading = false;
  do {
    int64_t have = static_cast<int64_t>(json_array_size(records.get()));
    int64_t page = in.limit < 0 ? kPage : std::min(kPage, in.limit - have);
    json_object_set_new(in.params.get(), "limit", json_integer(page));
    json_object_set_new(in.params.get(), "cursor", json_integer(cursor));
    Json reply;
    if (Reach r = client.call(in.method, in.params.get(), reply); r != Reach::Answered) return not_answered(r, client);
    if (is_error(reply.get())) return kError;
    json_t* result = json_object_get(reply.get(), "result");
    json_array_extend(records.get(), json_object_get(result, "records"));
    cursor = json_integer_value(json_object_get(result, "next"));
    loading = loading || json_is_true(json_object_get(result, "loading"));
  } while (cursor != 0 && (in.limit < 0 || static_cast<int64_t>(json_array_size(records.get())) < in.limit));
  // A page may hold a few more than asked for: the daemon shows whole hash buckets.
  bool more = cursor != 0;
  for (; in.limit >= 0 && static_cast<int64_t>(json_array_size(records.get())) > in.limit; more = true) {
    json_array_remove(records.get(), json_array_size(records.get()) - 1);
  }
  Json all(json_pack("{s:o, s:I, s:b}", "records", records.release(), "next", static_cast<json_int_t>(cursor), "loading",
                     loading));
  show(in, all.get(), more);
  return kGood;
}

static int run_raw(const Invocation& in, Client& client) {
  Json request(json_loads(in.raw.c_str(), 0, nullptr));
  bool notification = json_is_object(request.get()) && json_object_get(request.get(), "id") == nullptr &&
                      json_object_get(request.get(), "method") != nullptr;
  std::string text;
  if (Reach r = client.send_raw(in.raw, !notification, text); r != Reach::Answered) return not_answered(r, client);
  if (notification) return kGood;
  printf("%s\n", printable(text).c_str());
  Json reply(json_loads(text.c_str(), 0, nullptr));
  return json_object_get(reply.get(), "error") != nullptr ? kError : kGood;
}

static int run(const Invocation& in) {
  Client client(in.socket, in.timeout_s);
  if (in.show == Show::Raw) return run_raw(in, client);
  if (in.show == Show::Records) return run_list(in, client);
  if (in.watch) return run_watch(in, client);
  Json reply;
  if (Reach r = client.call(in.method, in.params.get(), reply); r != Reach::Answered) return not_answered(r, client);
  if (is_error(reply.get())) return kError;
  show(in, json_object_get(reply.get(), "result"), false);
  return kGood;
}

int main(int argc, char** argv) {
  Invocation in;
  std::string mistake;
  switch (parse_arguments(argc, argv, in, mistake)) {
    case Parsed::Help: fputs(usage_text(), stdout); return kGood;
    case Parsed::Version: printf("puactl %s\n", PUA_VERSION_STRING); return kGood;
    case Parsed::Mistake: fprintf(stderr, "puactl: %s (see puactl help)\n", printable(mistake).c_str()); return kUsage;
    case Parsed::Run: break;
  }
  int status = run(in);
  if (fflush(stdout) != 0 && status == kGood) return kError;  // a full disk, a closed pipe
  return status;
}
