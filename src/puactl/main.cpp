// puactl: command line client of puad.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "pua/pua.h"
#include "puactl/arguments.h"
#include "puactl/client.h"
#include "puactl/exit_status.h"
#include "puactl/print.h"
#include "puactl/report.h"
#include "puactl/watch.h"

using namespace puactl;

namespace {

constexpr int64_t kPage = 200;  // records asked for at a time

}  // namespace

static int not_answered(const Report& report, Reach reach, const Client& client) {
  return report.failure(reach == Reach::TimedOut ? kTimeout : kUnreachable, client.why());
}

// Columns of the terminal; 80 where there is none.
static size_t terminal_columns() {
  if (const char* given = getenv("COLUMNS"); given != nullptr && atoi(given) > 0) return static_cast<size_t>(atoi(given));
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void show(const Invocation& in, const json_t* result, bool more) {
  Layout layout{in.wide ? 0 : terminal_columns(), in.wide};
  std::string text = in.json ? json_line(result) + "\n" : for_people(in.show, result, more, layout);
  fputs(text.c_str(), stdout);
}

// Page after page until there are as many as wanted, or no more.
static int run_list(const Invocation& in, Client& client, const Report& report) {
  Json records(json_array());
  int64_t cursor = 0;
  bool loading = false;
  do {
    int64_t have = static_cast<int64_t>(json_array_size(records.get()));
    int64_t page = in.limit < 0 ? kPage : std::min(kPage, in.limit - have);
    json_object_set_new(in.params.get(), "limit", json_integer(page));
    json_object_set_new(in.params.get(), "cursor", json_integer(cursor));
    Json reply;
    if (Reach r = client.call(in.method, in.params.get(), reply); r != Reach::Answered) return not_answered(report, r, client);
    if (const json_t* error = json_object_get(reply.get(), "error")) return report.failure(error);
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

static int run_raw(const Invocation& in, Client& client, const Report& report) {
  Json request(json_loads(in.raw.c_str(), 0, nullptr));
  bool notification = json_is_object(request.get()) && json_object_get(request.get(), "id") == nullptr &&
                      json_object_get(request.get(), "method") != nullptr;
  std::string text;
  if (Reach r = client.send_raw(in.raw, !notification, text); r != Reach::Answered) return not_answered(report, r, client);
  if (notification) return kGood;
  printf("%s\n", pua::harmless_json(text).c_str());
  Json reply(json_loads(text.c_str(), 0, nullptr));
  return json_object_get(reply.get(), "error") != nullptr ? kError : kGood;
}

static int ask(const Invocation& in, Client& client, const Report& report) {
  if (in.show == Show::Raw) return run_raw(in, client, report);
  if (in.show == Show::Records) return run_list(in, client, report);
  if (in.watch) return run_watch(in, client, report);
  Json reply;
  if (Reach r = client.call(in.method, in.params.get(), reply); r != Reach::Answered) return not_answered(report, r, client);
  if (const json_t* error = json_object_get(reply.get(), "error")) return report.failure(error);
  show(in, json_object_get(reply.get(), "result"), false);
  return kGood;
}

static int run(const Invocation& in, const Report& report) {
  Client client(in.socket, in.timeout_s);
  int status = ask(in, client, report);
  if (std::string strangers = client.strangers(); !strangers.empty()) report.note(strangers);
  return status;
}

int main(int argc, char** argv) {
  Invocation in;
  std::string mistake;
  Parsed parsed = parse_arguments(argc, argv, in, mistake);
  Report report(in.json);
  switch (parsed) {
    case Parsed::Help: fputs(help_text(in.command).c_str(), stdout); return fflush(stdout) == 0 ? kGood : kError;
    case Parsed::Version: printf("puactl %s\n", PUA_VERSION_STRING); return kGood;
    case Parsed::Mistake: return report.failure(kUsage, mistake);
    case Parsed::Run: break;
  }
  int status = run(in, report);
  if (fflush(stdout) != 0 && status == kGood) return kError;  // a full disk, a closed pipe
  return status;
}
